//! Segments that were sent and not acknowledged yet: what a retransmission repeats and how long that
//! took, and which lengths got through.

use std::collections::VecDeque;

/// Segments remembered; where the other side's packets are missing, nothing ever takes them off.
const SEGMENTS_MAX: usize = 2_048;

/// Nanoseconds within which the same segment is a copy in the capture: no sender repeats one so soon,
/// the shortest timer waits for milliseconds.
pub(super) const MOMENT: i64 = 1_000_000;

/// Segments on their way, in the order of the stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent(VecDeque<One>);

#[derive(Clone, Copy, Debug)]
struct One {
    start: u64,
    end: u64,
    /// When it was sent last.
    at: i64,
    /// Its packet's number as IP has it.
    identification: u32,
    /// What is known to have passed once all of it is acknowledged. Octets that were sent again in
    /// smaller segments prove no more than those.
    length: u32,
    is_cut: bool,
}

impl Sent {
    /// Octets that were never sent before.
    pub fn send(&mut self, start: u64, end: u64, at: i64, identification: u32) {
        if self.0.len() == SEGMENTS_MAX {
            self.0.pop_front();
        }
        let one =
            One { start, end, at, identification, length: (end - start) as u32, is_cut: false };
        match self.0.back() {
            Some(last) if last.end > start => {
                let place = self.0.partition_point(|other| other.end <= start);
                self.0.insert(place, one);
            }
            _ => self.0.push_back(one),
        }
    }

    /// Whether the same segment came a moment ago: the capture has it twice.
    pub fn is_twice(&self, start: u64, end: u64, at: i64, identification: u32) -> bool {
        let place = self.0.partition_point(|one| one.end <= start);
        self.0.get(place).is_some_and(|one| {
            (one.start, one.end, one.identification) == (start, end, identification)
                && (0..MOMENT).contains(&at.saturating_sub(one.at))
        })
    }

    /// Octets that were sent before. Gives back how long ago, where that is known.
    pub fn resend(&mut self, start: u64, end: u64, at: i64, identification: u32) -> Option<i64> {
        let length = (end - start) as u32;
        let place = self.0.partition_point(|one| one.end <= start);
        let mut longest = None;
        for one in self.0.iter_mut().skip(place).take_while(|one| one.start < end) {
            longest = longest.max(Some(at.saturating_sub(one.at)));
            one.at = at;
            one.identification = identification;
            if length < (one.end - one.start) as u32 {
                one.length = if one.is_cut { one.length.max(length) } else { length };
                one.is_cut = true;
            }
        }
        longest
    }

    /// All before that position is acknowledged. Gives back the longest segment that passed.
    pub fn acknowledge(&mut self, position: u64) -> u32 {
        let mut longest = 0;
        while self.0.front().is_some_and(|one| one.end <= position) {
            longest = longest.max(self.0.pop_front().map_or(0, |one| one.length));
        }
        longest
    }

    /// These octets arrived though earlier ones did not (RFC 2018). Gives back the longest segment among
    /// them.
    pub fn acknowledge_some(&self, start: u64, end: u64) -> u32 {
        let place = self.0.partition_point(|one| one.start < start);
        let those = self.0.iter().skip(place).take_while(|one| one.end <= end);
        those.map(|one| one.length).max().unwrap_or(0)
    }

    pub fn memory(&self) -> usize {
        self.0.capacity() * size_of::<One>()
    }
}
