//! Disks that fill up, and writes and syncs that fail, while the machine stays up.

use std::time::Duration;

use tokio::time::sleep;
use world::sim::disk::SimDisk;

use super::ledger::Ledger;

/// What is left on a disk that is filled up: nothing, less or more than what is kept in reserve.
const LEFT: [u64; 4] = [0, 4 << 10, 300 << 10, 3 << 20];

/// Harms one disk until `until`; then it is well.
pub async fn harm(
    disk: SimDisk,
    name: &'static str,
    ledger: Ledger,
    mut random: fastrand::Rng,
    until: u64,
) {
    while ledger.now() < until {
        sleep(Duration::from_secs(random.u64(1_200..14_400))).await;
        match random.u32(..3) {
            0 => {
                ledger.note(&format!("a sync of {name} is going to fail"));
                disk.fail_sync(random.u64(1..8));
            }
            1 => {
                ledger.note(&format!("a write of {name} is going to fail"));
                disk.fail_write(random.u64(1..12));
            }
            _ => {
                let left = LEFT[random.usize(..LEFT.len())];
                ledger.note(&format!("the disk of {name} has {left} octets left"));
                disk.limit(disk.used() + left);
                sleep(Duration::from_secs(random.u64(60..7_200))).await;
                disk.limit(u64::MAX);
                ledger.note(&format!("the disk of {name} has room"));
            }
        }
    }
}
