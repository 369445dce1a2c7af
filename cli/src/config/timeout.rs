//! How long something may take, as people write it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

/// A duration such as `90s` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(pub Duration);

impl Timeout {
    /// So many minutes.
    #[must_use]
    pub const fn minutes(minutes: u64) -> Self {
        Self(Duration::from_secs(minutes * 60))
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A duration too long for `SignedDuration` cannot have been read.
        let duration = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(f, "{duration:#}")
    }
}

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not a duration; write one like 90s or 1h 30m");
        let duration: SignedDuration = text.parse().map_err(|_| malformed())?;
        match Duration::try_from(duration) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(malformed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for (text, seconds) in [("90s", 90), ("45m", 2700), ("1h 30m", 5400), ("6h", 21600)] {
            let timeout: Timeout = text.parse().unwrap();
            assert_eq!(timeout.0.as_secs(), seconds);
            assert_eq!(timeout.to_string().parse::<Timeout>().unwrap(), timeout);
        }
        for bad in ["", "5", "0s", "-3m", "soon"] {
            assert!(bad.parse::<Timeout>().is_err(), "{bad}");
        }
    }
}
