//! The table of results.

use std::fmt;
use std::time::Duration;

use benches::stopwatch::median;

/// What was measured, row by row.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    ours: String,
    floor: String,
    ratio: String,
    promise: String,
    /// None when nothing is promised.
    is_kept: Option<bool>,
}

/// What is promised of a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Promise {
    /// Nothing; the figure is for people.
    None,
    /// Ours costs at most this many times the floor.
    AtMost(f64),
    /// Ours is at least this many times the floor.
    AtLeast(f64),
}

impl Table {
    /// Adds the medians of two series.
    pub(crate) fn pair(&mut self, name: impl Into<String>, promise: Promise, mut times: Pair) {
        let (ours, floor) = (median(&mut times.ours), median(&mut times.floor));
        self.ratio(name, promise, (shown(ours), shown(floor)), ours.as_secs_f64() / floor.as_secs_f64());
    }

    /// Adds a ratio with what it is made of.
    pub(crate) fn ratio(
        &mut self,
        name: impl Into<String>,
        promise: Promise,
        (ours, floor): (String, String),
        ratio: f64,
    ) {
        let (promise, is_kept) = match promise {
            Promise::None => (String::new(), None),
            Promise::AtMost(bound) => (format!("<= {bound}"), Some(ratio <= bound)),
            Promise::AtLeast(bound) => (format!(">= {bound}"), Some(ratio >= bound)),
        };
        self.add(Row { name: name.into(), ours, floor, ratio: format!("{ratio:.2}"), promise, is_kept });
    }

    /// Adds a time that has a bound of its own.
    pub(crate) fn bound(&mut self, name: impl Into<String>, ours: Duration, bound: Duration) {
        let promise = format!("<= {}", shown(bound));
        let (floor, ratio) = Default::default();
        self.add(Row { name: name.into(), ours: shown(ours), floor, ratio, promise, is_kept: Some(ours <= bound) });
    }

    /// How many promises were missed.
    pub(crate) fn missed(&self) -> usize {
        self.rows.iter().filter(|row| row.is_kept == Some(false)).count()
    }

    fn add(&mut self, row: Row) {
        eprintln!("measured: {}", row.name);
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = self.rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
        writeln!(f, "{:<wide$}  {:>10}  {:>10}  {:>6}  {:>10}", "", "ours", "floor", "ratio", "promise")?;
        for Row { name, ours, floor, ratio, promise, is_kept } in &self.rows {
            let verdict = match is_kept {
                None => "",
                Some(true) => "ok",
                Some(false) => "MISSED",
            };
            writeln!(f, "{name:<wide$}  {ours:>10}  {floor:>10}  {ratio:>6}  {promise:>10}  {verdict}")?;
        }
        Ok(())
    }
}

/// Two series, measured in turns.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) ours: Vec<Duration>,
    pub(crate) floor: Vec<Duration>,
}

/// A time with a unit that people can compare.
pub(crate) fn shown(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s < 1e-3 => format!("{:.2} us", s * 1e6),
        s if s < 1.0 => format!("{:.2} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
