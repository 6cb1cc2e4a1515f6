//! After faults stop, service is whole within the promised time, without a restart (DESIGN 5, t2 and t3;
//! invariant I8):
//! everybody is seen as what it is, and no statement fails that begins then.

use std::time::Instant;

use super::{Finding, Invariant, Seen};

#[derive(Debug, Default)]
pub(super) struct Recovery {
    since: Option<Instant>,
}

impl Invariant for Recovery {
    fn name(&self) -> &'static str {
        "after faults stop, service is whole"
    }

    fn see(&mut self, at: Instant, seen: &Seen<'_>) -> Finding {
        match seen {
            Seen::Recovered => {
                self.since = Some(at);
                Finding::Nothing
            }
            Seen::Whole { missing } => Finding::check(missing.is_none(), || {
                format!("long after the last fault it lacks {missing:?}")
            }),
            Seen::Ended { client, began, good } => match self.since {
                Some(since) if *began >= since => Finding::check(*good, || {
                    format!("a statement of session {client} failed long after the last fault")
                }),
                Some(_) | None => Finding::Nothing,
            },
            _ => Finding::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_fail() {
        let now = Instant::now();
        let mut invariant = Recovery::default();
        let failed = Seen::Ended { client: 1, began: now, good: false };
        assert_eq!(invariant.see(now, &failed), Finding::Nothing);
        assert_eq!(invariant.see(now, &Seen::Recovered), Finding::Nothing);
        assert!(matches!(invariant.see(now, &failed), Finding::Violated(_)));
        assert_eq!(invariant.see(now, &Seen::Whole { missing: None }), Finding::Holds);
        let lacks = Seen::Whole { missing: Some("its writer".to_owned()) };
        assert!(matches!(invariant.see(now, &lacks), Finding::Violated(_)));
    }
}
