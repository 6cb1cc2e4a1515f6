//! MySQL and MariaDB. Nothing is judged yet: every text goes to the writer.

use super::part::Part;
use super::{Classification, Rules, TransactionEffect};

pub(super) fn classify(_sql: &str, _rules: &Rules) -> Classification {
    let part = Part::doubtful("MySQL is not judged yet").leaving();
    Classification::new(part, TransactionEffect::Unclear, None)
}
