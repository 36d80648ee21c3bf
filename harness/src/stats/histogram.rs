//! Latency histograms as they stand in records: HdrHistogram, V2 with deflate, base64; merged by addition.

use std::io::Cursor;

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{Deserializer, Serializer, V2DeflateSerializer},
};

/// The percentiles that are recorded as metrics: suffix of the metric's name and quantile.
pub const PERCENTILES: &[(&str, f64)] = &[("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Reads a histogram from a record.
///
/// # Errors
/// When the text is not base64 of a serialized histogram.
pub fn decode(text: &str) -> Result<Histogram<u64>> {
    let bytes = STANDARD.decode(text).context("a histogram is not base64")?;
    Deserializer::new()
        .deserialize(&mut Cursor::new(bytes))
        .map_err(|error| anyhow::anyhow!("a histogram cannot be read: {error:?}"))
}

/// Writes a histogram as records hold it.
///
/// # Errors
/// When it cannot be serialized.
pub fn encode(histogram: &Histogram<u64>) -> Result<String> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new()
        .serialize(histogram, &mut bytes)
        .map_err(|error| anyhow::anyhow!("a histogram cannot be written: {error:?}"))?;
    Ok(STANDARD.encode(bytes))
}

/// Adds the histograms up; `None` for none.
///
/// # Errors
/// When one of them cannot be read.
pub fn merge<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Option<Histogram<u64>>> {
    let mut sum: Option<Histogram<u64>> = None;
    for text in texts {
        let mut histogram = decode(text)?;
        match &mut sum {
            None => {
                // The next one may reach further than this one.
                histogram.auto(true);
                sum = Some(histogram);
            }
            Some(sum) => sum.add(&histogram).map_err(|error| anyhow::anyhow!("histograms do not add up: {error:?}"))?,
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_is_addition() {
        let mut parts = Vec::new();
        let mut whole = Histogram::<u64>::new(3).unwrap();
        for part in 0..4_u64 {
            let mut histogram = Histogram::<u64>::new(3).unwrap();
            for value in 0..1000 {
                histogram.record(value * (part + 1)).unwrap();
                whole.record(value * (part + 1)).unwrap();
            }
            parts.push(encode(&histogram).unwrap());
        }
        let merged = merge(parts.iter().map(String::as_str)).unwrap().unwrap();
        assert_eq!(merged.len(), whole.len());
        for (name, quantile) in PERCENTILES {
            assert_eq!(merged.value_at_quantile(*quantile), whole.value_at_quantile(*quantile), "{name}");
        }
        assert!(decode("not base64!").is_err() && decode("AAAA").is_err());
    }
}
