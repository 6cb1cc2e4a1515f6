//! Rows that are here already, and not delivered yet.

use std::collections::VecDeque;

/// A queue of rows. The next one stands beside the others, so that a single row, which is what most
/// queries give, allocates nothing.
#[derive(Debug)]
pub struct Ahead<R> {
    next: Option<R>,
    /// Those after it: none while there is no next one.
    others: VecDeque<R>,
}

impl<R> Default for Ahead<R> {
    fn default() -> Self {
        Self { next: None, others: VecDeque::new() }
    }
}

impl<R> Ahead<R> {
    pub(crate) fn len(&self) -> usize {
        usize::from(self.next.is_some()) + self.others.len()
    }

    pub(crate) fn push_back(&mut self, row: R) {
        if self.next.is_none() {
            self.next = Some(row);
        } else {
            self.others.push_back(row);
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<R> {
        std::mem::replace(&mut self.next, self.others.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_in_the_order_in_which_they_went_in() {
        let mut ahead = Ahead::default();
        assert_eq!((ahead.len(), ahead.pop_front()), (0, None));
        for row in [1, 2, 3] {
            ahead.push_back(row);
        }
        assert_eq!((ahead.len(), ahead.pop_front()), (3, Some(1)));
        ahead.push_back(4);
        assert_eq!([(); 4].map(|()| ahead.pop_front()), [Some(2), Some(3), Some(4), None]);
        ahead.push_back(5);
        assert_eq!((ahead.len(), ahead.pop_front()), (1, Some(5)));
    }
}
