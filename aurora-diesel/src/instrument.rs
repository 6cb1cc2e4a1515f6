//! One instrumentation for all the physical connections that serve a session.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, get_default_instrumentation};

/// Forwards the events of every connection it is installed on to one instrumentation.
#[derive(Clone)]
pub(crate) struct Forward(Arc<Mutex<Option<Box<dyn Instrumentation>>>>);

impl Forward {
    pub(crate) fn new(instrumentation: Option<Box<dyn Instrumentation>>) -> Self {
        Self(Arc::new(Mutex::new(instrumentation)))
    }
}

impl Default for Forward {
    fn default() -> Self {
        Self::new(get_default_instrumentation())
    }
}

impl Instrumentation for Forward {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        // An instrumentation that panicked may go on to see events: it is only an observer.
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.on_connection_event(event);
    }
}
