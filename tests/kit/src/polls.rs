//! Futures that are dropped in the middle.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// Polls `future` at most `times` times, and drops it then.
///
/// `None` is "dropped unfinished".
pub async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    Polls { left: times, future: pin!(future) }.await
}

struct Polls<'a, F> {
    left: usize,
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for Polls<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
