//! Calendar time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smtp::Timestamp;

/// Where `now` comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The operating system's clock.
    Real,
    /// Starts at `epoch` when the simulation starts and moves with tokio's (paused) clock.
    Sim {
        /// The calendar time at `origin`.
        epoch: Timestamp,
        /// When the simulation started.
        origin: tokio::time::Instant,
    },
}

impl Clock {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                Timestamp::default().after(since)
            }
            Self::Sim { epoch, origin } => epoch.after(origin.elapsed()),
        }
    }
}
