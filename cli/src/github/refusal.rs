//! What an answer that is no success means: wait, try again, or give up.

use std::time::Duration;

use jiff::Timestamp;

/// What GitHub's rules say about a limit that tells no time.
const UNTOLD: Duration = Duration::from_secs(60);

/// What an answer said, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Its status; none when no answer came, or half of one.
    pub(super) status: Option<u16>,
    /// What it said, in words.
    pub(super) message: String,
    /// The header `retry-after`.
    pub(super) retry_after: Option<String>,
    /// The header `x-ratelimit-remaining`.
    pub(super) remaining: Option<String>,
    /// The header `x-ratelimit-reset`.
    pub(super) reset: Option<String>,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Advice {
    /// Nothing was done; GitHub wants it later.
    Wait(Duration),
    /// It may have been done or not; in a moment it may work.
    Again,
    /// It will be refused each time.
    No,
}

impl Refusal {
    pub(super) fn advice(&self, now: Timestamp) -> Advice {
        let Some(status) = self.status else {
            return Advice::Again;
        };
        match status {
            429 => Advice::Wait(self.limit(now).unwrap_or(UNTOLD)),
            403 => match self.limit(now) {
                Some(time) => Advice::Wait(time),
                None if self.message.contains("rate limit") => Advice::Wait(UNTOLD),
                None => Advice::No,
            },
            408 | 500 | 502..=504 => Advice::Again,
            _ => Advice::No,
        }
    }

    /// How long a limit lasts, by the headers.
    fn limit(&self, now: Timestamp) -> Option<Duration> {
        let number =
            |header: &Option<String>| -> Option<i64> { header.as_ref()?.trim().parse().ok() };
        if self.retry_after.is_some() {
            let seconds = number(&self.retry_after).and_then(|seconds| u64::try_from(seconds).ok());
            // The other form is a date, which GitHub does not send.
            return Some(seconds.map_or(UNTOLD, Duration::from_secs));
        }
        if number(&self.remaining) != Some(0) {
            return None;
        }
        let reset = number(&self.reset)?;
        // Clocks differ a little; a second more is cheaper than another refusal.
        let left = reset
            .saturating_sub(now.as_second())
            .saturating_add(1)
            .max(1);
        Some(Duration::from_secs(u64::try_from(left).unwrap_or(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, headers: [&str; 3]) -> Refusal {
        let header = |index: usize| -> Option<String> {
            (!headers[index].is_empty()).then(|| headers[index].to_owned())
        };
        Refusal {
            status: Some(status),
            message: "no".into(),
            retry_after: header(0),
            remaining: header(1),
            reset: header(2),
        }
    }

    #[test]
    fn limits_are_waited_for_and_refusals_are_not() {
        let now = Timestamp::from_second(1000).unwrap();
        let wait = |seconds| Advice::Wait(Duration::from_secs(seconds));
        for (status, headers, advice) in [
            (403, ["7", "0", "9999"], wait(7)),
            (403, ["", "0", "1030"], wait(31)),
            (403, ["", "0", "10"], wait(1)),
            (403, ["", "12", "1030"], Advice::No),
            (403, ["", "", ""], Advice::No),
            (429, ["", "", ""], wait(60)),
            (429, ["Wed, 21 Oct 2026 07:28:00 GMT", "", ""], wait(60)),
            (429, ["-3", "", ""], wait(60)),
            (403, ["", "0", "99999999999999999999"], Advice::No),
            (401, ["", "0", "1030"], Advice::No),
            (404, ["", "", ""], Advice::No),
            (422, ["", "", ""], Advice::No),
            (502, ["", "", ""], Advice::Again),
        ] {
            assert_eq!(
                refusal(status, headers).advice(now),
                advice,
                "{status} {headers:?}"
            );
        }
        let mut secondary = refusal(403, ["", "", ""]);
        secondary.message = "You have exceeded a secondary rate limit.".into();
        assert_eq!(secondary.advice(now), wait(60));
        assert_eq!(Refusal::default().advice(now), Advice::Again);
    }
}
