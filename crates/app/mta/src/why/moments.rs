//! Times and lengths of time as people say them.

use std::time::Duration;

use jiff::tz::TimeZone;
use smtp::Timestamp;

/// `0.4s`, `12s`, `37m`, `4h 10m`, `3d 2h`: two units at most, rounded down.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let two = |a: u64, unit_a: &str, b: u64, unit_b: &str| match b {
        0 => format!("{a}{unit_a}"),
        b => format!("{a}{unit_a} {b}{unit_b}"),
    };
    match seconds {
        0..10 => {
            let tenths = length.as_millis() / 100;
            if tenths.is_multiple_of(10) {
                format!("{}s", tenths / 10)
            } else {
                format!("{}.{}s", tenths / 10, tenths % 10)
            }
        }
        10..60 => format!("{seconds}s"),
        60..3_600 => two(seconds / 60, "m", if seconds < 600 { seconds % 60 } else { 0 }, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Tells times as seen from one moment and place.
pub(super) struct Moments<'z> {
    pub(super) now: Timestamp,
    pub(super) zone: &'z TimeZone,
}

impl Moments<'_> {
    /// `today 03:12:07`, `Thu 12 Nov 23:12:07`, `12 Nov 2025 23:12`.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        let (now, at) = (self.zoned(self.now), self.zoned(at));
        let form = if at.date() == now.date() {
            "today %H:%M:%S"
        } else if at.year() == now.year() {
            "%a %-d %b %H:%M:%S"
        } else {
            "%-d %b %Y %H:%M"
        };
        at.strftime(form).to_string()
    }

    /// The same with the distance: `today 03:12:07 (4h ago)` or `... (in 37m)`.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        let clock = self.clock(at);
        if at > self.now {
            format!("{clock} (in {})", span(at.since(self.now)))
        } else if self.now.since(at) < Duration::from_secs(1) {
            format!("{clock} (just now)")
        } else {
            format!("{clock} ({} ago)", span(self.now.since(at)))
        }
    }

    /// For lists: no `today`, no seconds.
    pub(super) fn brief(&self, at: Timestamp) -> String {
        let (now, at) = (self.zoned(self.now), self.zoned(at));
        let form = if at.date() == now.date() { "%H:%M" } else { "%-d %b %H:%M" };
        at.strftime(form).to_string()
    }

    /// From one time to a later one: `today 00:35:00 to 02:35:00`.
    pub(super) fn range(&self, first: Timestamp, last: Timestamp) -> String {
        let until = self.clock(last);
        let same_day = self.zoned(first).date() == self.zoned(last).date();
        let until = if same_day { until.rsplit(' ').next().unwrap_or_default() } else { &until };
        format!("{} to {until}", self.clock(first))
    }

    fn zoned(&self, at: Timestamp) -> jiff::Zoned {
        let millisecond = i64::try_from(at.0).unwrap_or(i64::MAX);
        let stamp = jiff::Timestamp::from_millisecond(millisecond);
        stamp.unwrap_or(jiff::Timestamp::MAX).to_zoned(self.zone.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (millis, text) in [
            (0, "0s"),
            (412, "0.4s"),
            (9_990, "9.9s"),
            (12_000, "12s"),
            (61_000, "1m 1s"),
            (37 * 60_000 + 5_000, "37m"), // seconds don't matter any more
            (15_000_000, "4h 10m"),
            (266_400_000, "3d 2h"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn moments_are_told_from_now() {
        let zone = TimeZone::UTC;
        // Fri 13 Nov 2026 03:45:00
        let moments = Moments { now: Timestamp(1_794_541_500_000), zone: &zone };
        for (at, text) in [
            (1_794_541_500_000, "today 03:45:00 (just now)"),
            (1_794_543_720_000, "today 04:22:00 (in 37m)"),
            (1_794_524_400_000, "Thu 12 Nov 23:00:00 (4h 45m ago)"),
            (1_762_988_400_000, "12 Nov 2025 23:00 (365d 4h ago)"),
        ] {
            assert_eq!(moments.moment(Timestamp(at)), text);
        }
    }
}
