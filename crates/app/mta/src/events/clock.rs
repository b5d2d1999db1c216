//! The time of day as text, worked out once a second.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

/// Renders the present for one thread.
#[derive(Default)]
pub(super) struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// `2026-11-12T22:12:07.123Z` for programs; `03:12:07.123`, in local time, for people.
    pub(super) fn write_now(&mut self, out: &mut Vec<u8>, local: bool) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() != self.second || self.text.is_empty() {
            self.second = now.as_secs();
            let second = i64::try_from(self.second).unwrap_or(i64::MAX);
            let stamp = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
            self.text = if local {
                stamp.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
            } else {
                stamp.strftime("%Y-%m-%dT%H:%M:%S").to_string()
            };
        }
        out.extend_from_slice(self.text.as_bytes());
        let millisecond = now.subsec_millis();
        let digit = |unit: u32| b'0' + (millisecond / unit % 10) as u8;
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
        if !local {
            out.push(b'Z');
        }
    }
}
