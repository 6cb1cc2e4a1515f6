//! The result of all runs, for a human and for a machine.

use std::time::Duration;

use serde_json::{Value, json};

use crate::options::{Adapter, Engine, Fault};
use crate::score::Score;
use crate::stacks::OURS;

/// The result of one stack in one run.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) engine: Engine,
    pub(crate) adapter: Adapter,
    /// [`OURS`], or the name of the stock pool.
    pub(crate) stack: &'static str,
    pub(crate) fault: Fault,
    pub(crate) score: Score,
}

/// The heads of the table; [`legend`] explains what they cannot.
const HEADS: [&str; 9] = [
    "fault",
    "stack",
    "outage",
    "errors",
    "refused",
    "refused late",
    "hanging",
    "lost",
    "duplicated",
];

/// Below the table.
pub(crate) fn legend(engine: Engine) -> String {
    let refused = match engine {
        Engine::Postgres => "errors with SQLSTATE 25006",
        Engine::Mysql => "errors 1290",
    };
    format!(
        "{engine}. Outage: from the fault until the new writer has acknowledged a write of each of \
         the 8 workers.\nRefused: {refused}; late: though the new writer had already taken a direct \
         write."
    )
}

impl Row {
    /// The promises that our adapter broke; a stock pool has made none.
    pub(crate) fn broken_promises(&self) -> Vec<String> {
        if self.stack != OURS {
            return Vec::new();
        }
        let score = &self.score;
        let counted = [
            (score.refused_after_writer_known, "writes refused though the new writer was known"),
            (score.hanging, "workers hang"),
            (score.lost, "acknowledged writes lost"),
            (score.duplicated, "writes duplicated"),
        ];
        let bad = counted.iter().filter(|(number, _)| *number > 0);
        let mut broken: Vec<String> =
            bad.map(|(number, what)| format!("{number} {what}")).collect();
        let limit = self.fault.promised_outage();
        if score.outage.is_none_or(|outage| outage > limit) {
            broken.push(format!("outage {}, promised {limit:?}", time(score.outage)));
        }
        broken
    }

    fn cells(&self) -> [String; 9] {
        let score = &self.score;
        let numbers = [
            score.errors,
            score.refused,
            score.refused_after_writer_known,
            score.hanging,
            score.lost,
            score.duplicated,
        ];
        let [errors, refused, late, hanging, lost, duplicated] = numbers.map(|n| n.to_string());
        let stack = format!("{}, {}", self.adapter, self.stack);
        let outage = time(score.outage);
        let fault = self.fault.to_string();
        [fault, stack, outage, errors, refused, late, hanging, lost, duplicated]
    }
}

/// The table, in a form that is Markdown as well.
pub(crate) fn table(rows: &[Row]) -> Vec<String> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    // By fault: that is how one compares. The order of the stacks stays.
    sorted.sort_by_key(|row| row.fault as u8);
    let cells: Vec<[String; 9]> = sorted.iter().map(|row| row.cells()).collect();
    let width = |column: usize| {
        let longest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(HEADS[column].len())
    };
    let line = |row: &[String; 9]| {
        let text = row.iter().enumerate().map(|(column, cell)| match column {
            0 | 1 => format!(" {cell:<width$} |", width = width(column)),
            _ => format!(" {cell:>width$} |", width = width(column)),
        });
        format!("|{}", text.collect::<String>())
    };
    let rule = (0..HEADS.len()).map(|column| match column {
        0 | 1 => format!("{}|", "-".repeat(width(column) + 2)),
        _ => format!("{}:|", "-".repeat(width(column) + 1)),
    });
    let mut lines = vec![line(&HEADS.map(str::to_owned)), format!("|{}", rule.collect::<String>())];
    lines.extend(cells.iter().map(line));
    lines
}

/// The rows as an array; the order is that of the runs.
pub(crate) fn to_json(rows: &[Row]) -> Value {
    let one = |row: &Row| {
        json!({
            "engine": row.engine.to_string(),
            "adapter": row.adapter.to_string(),
            "stack": row.stack,
            "fault": row.fault.to_string(),
            "outage_ms": row.score.outage.map(|outage| (outage.as_secs_f64() * 1e6).round() / 1e3),
            "errors": row.score.errors,
            "refused": row.score.refused,
            "refused_after_writer_known": row.score.refused_after_writer_known,
            "hanging": row.score.hanging,
            "lost": row.score.lost,
            "duplicated": row.score.duplicated,
        })
    };
    rows.iter().map(one).collect()
}

/// An outage as a human reads it.
fn time(outage: Option<Duration>) -> String {
    match outage {
        None => "never ends".to_owned(),
        Some(time) if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stack: &'static str, fault: Fault, outage: Option<u64>) -> Row {
        let score = Score { outage: outage.map(Duration::from_millis), ..Score::default() };
        Row { engine: Engine::Postgres, adapter: Adapter::Diesel, stack, fault, score }
    }

    #[test]
    fn each_promise_that_ours_breaks_is_told_and_the_stock_pools_make_none() {
        let spoil: [fn(&mut Score); 6] = [
            |s| s.refused_after_writer_known = 1,
            |s| s.hanging = 1,
            |s| s.lost = 1,
            |s| s.duplicated = 1,
            |s| s.outage = None,
            |s| s.outage = Some(Duration::from_millis(1001)),
        ];
        for spoil in spoil {
            let mut row = row(OURS, Fault::Kill, Some(1000));
            assert_eq!(row.broken_promises(), [""; 0]);
            spoil(&mut row.score);
            assert_eq!(row.broken_promises().len(), 1, "{row:?}");
            row.stack = "r2d2";
            assert_eq!(row.broken_promises(), [""; 0]);
        }
        assert_eq!(row(OURS, Fault::Blackhole, Some(3000)).broken_promises(), [""; 0]);
        assert_eq!(row(OURS, Fault::Switchover, Some(3000)).broken_promises().len(), 1);
    }

    #[test]
    fn the_table_is_ordered_by_fault_and_aligned() {
        let rows = [
            row(OURS, Fault::Kill, Some(171)),
            row("r2d2", Fault::Kill, Some(5300)),
            row(OURS, Fault::Switchover, Some(160)),
            row("r2d2", Fault::Switchover, None),
            row(OURS, Fault::Blackhole, Some(2210)),
        ];
        let lines = table(&rows);
        assert_eq!(lines.len(), 7);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{lines:#?}");
        assert!(lines[2].starts_with("| kill       | diesel, ours |     171 ms |"), "{lines:#?}");
        assert!(lines[3].contains("5.3 s"));
        assert!(lines[4].contains("blackhole") && lines[4].contains("2.2 s"));
        assert!(lines[6].contains("never ends"));
    }

    #[test]
    fn the_json_has_the_fields_that_scripts_rely_on() {
        let mut never = row("Database::connect", Fault::Switchover, None);
        never.score.refused = 7;
        let value = to_json(&[row(OURS, Fault::Kill, Some(171)), never]);
        let ours = json!({
            "engine": "PostgreSQL", "adapter": "diesel", "stack": "ours", "fault": "kill",
            "outage_ms": 171.0,
            "errors": 0, "refused": 0, "refused_after_writer_known": 0, "hanging": 0,
            "lost": 0, "duplicated": 0,
        });
        assert_eq!(value[0], ours);
        assert_eq!(value[1]["outage_ms"], Value::Null);
        assert_eq!(value[1]["refused"], json!(7));
    }
}
