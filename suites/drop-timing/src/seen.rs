//! What one launch has seen: the one line that `bin/drop-time.rs` prints and `suite.rs` reads.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Serializer, V2DeflateSerializer},
};
use serde::{Deserialize, Serialize};

use crate::tally::Tally;

/// What one launch has seen.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Values that were made.
    pub created: u64,
    /// Values that were dropped.
    pub dropped: u64,
    /// Figures by metric.
    pub metrics: BTreeMap<String, f64>,
    /// HdrHistograms by name, as a record holds them.
    pub histograms: BTreeMap<String, String>,
}

impl Seen {
    /// The counts of a tally, and no figure yet.
    #[must_use]
    pub fn of(tally: &Tally) -> Self {
        let (created, dropped) = (tally.created(), tally.dropped());
        Self { created, dropped, metrics: BTreeMap::new(), histograms: BTreeMap::new() }
    }

    /// With one more figure.
    #[must_use]
    pub fn with(mut self, metric: &str, figure: f64) -> Self {
        self.metrics.insert(metric.to_owned(), figure);
        self
    }

    /// With one more histogram, if there is anything in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with_histogram(mut self, name: &str, histogram: &Histogram<u64>) -> Result<Self, String> {
        if !histogram.is_empty() {
            let mut bytes = Vec::new();
            V2DeflateSerializer::new()
                .serialize(histogram, &mut bytes)
                .map_err(|error| format!("a histogram cannot be written: {error:?}"))?;
            self.histograms.insert(name.to_owned(), STANDARD.encode(bytes));
        }
        Ok(self)
    }

    /// What is wrong with the counts: each value that is made has to be dropped, once.
    #[must_use]
    pub fn finding(&self) -> Option<String> {
        let Self { created, dropped, .. } = self;
        match created.cmp(dropped) {
            _ if *created == 0 => Some("no value was made, so no destructor was looked at".to_owned()),
            std::cmp::Ordering::Greater => {
                Some(format!("{} of {created} values were never dropped", created - dropped))
            }
            std::cmp::Ordering::Less => Some(format!("{dropped} drops of {created} values")),
            std::cmp::Ordering::Equal => None,
        }
    }
}
