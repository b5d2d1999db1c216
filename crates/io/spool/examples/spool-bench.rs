//! How fast the spool keeps mail: `cargo run --release -p mailwright-spool --example spool-bench -- DIR`.
//!
//! For 1 KiB and 10 KiB messages and so many writers at once: *store* (each accept waits for its sync),
//! *finish* (without waiting), and *churn* (accept, read from memory, finish: a message's life in a
//! relay). Then a restart with many queued jobs, and a 50 MB message.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use smtp::Timestamp;
use spool::{
    Arrival, JobId, NewContent, NewJob, Spool,
    local::{LocalSpool, Opened, Pace, Settings},
};
use world::disk::RealDisk;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().unwrap_or_else(|| "spool-bench".to_owned()));
    let jobs: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!(
        "| test | messages | writers | messages/s | CPU us/message | octets written per octet |"
    );
    println!("|---|---|---|---|---|---|");
    for (size, count) in [(1 << 10, 200_000), (10 << 10, 50_000)] {
        for writers in [50, 500] {
            runtime.block_on(rates(&directory, size, count, writers))?;
        }
    }
    runtime.block_on(restart(&directory, jobs))?;
    runtime.block_on(big(&directory))?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

fn open(directory: &Path) -> Result<Opened, Failure> {
    Ok(LocalSpool::open(Arc::new(RealDisk), directory, Settings::default(), Pace::Thread)?)
}

fn arrival(spool: &LocalSpool, content: NewContent) -> Arrival {
    let envelope = Bytes::from_static(&[b'e'; 160]);
    let job = NewJob { lane: "b.test".into(), due: Timestamp(1), held: false, envelope };
    let prefix = Bytes::from_static(&[b'r'; 180]);
    Arrival { id: spool.reserve(), at: Timestamp(1), prefix, content, jobs: vec![job] }
}

fn cpu() -> Duration {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<i64> = usage
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|f| f.parse().ok())
        .collect();
    // User and system ticks; the state letter is not a number.
    let ticks: i64 = fields.iter().skip(10).take(2).sum();
    Duration::from_millis(ticks.unsigned_abs() * 10)
}

fn written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or(0)
}

async fn rates(directory: &Path, size: usize, count: u64, writers: u64) -> Result<(), Failure> {
    let spool = Arc::new(open(directory)?.spool);
    let content = Bytes::from(vec![b'x'; size]);
    let first = AtomicU64::new(u64::MAX);
    let first = Arc::new(first);
    for churn in [false, true] {
        let (start, before, octets) = (Instant::now(), cpu(), written());
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..writers {
            let (spool, content, first) = (spool.clone(), content.clone(), first.clone());
            tasks.spawn(async move {
                for _ in 0..count / writers {
                    let arrival = arrival(&spool, NewContent::Memory(content.clone()));
                    let Ok(accepted) = spool.accept(arrival).await else { return false };
                    let id = accepted.jobs[0].id;
                    first.fetch_min(id.message.0, Ordering::Relaxed);
                    if churn {
                        spool.finish_soon(id, 1);
                    }
                }
                true
            });
        }
        let all_kept = tasks.join_all().await.into_iter().all(|kept| kept);
        let name = if churn { "churn" } else { "store" };
        let name =
            format!("{name} {} KiB{}", size >> 10, if all_kept { "" } else { " (refused!)" });
        row(&name, count, writers, start, before, written() - octets, count * size as u64);
        if !churn {
            let (start, before, octets) = (Instant::now(), cpu(), written());
            let first = first.load(Ordering::Relaxed);
            for number in first..first + count {
                spool.finish_soon(JobId { message: spool::MessageId(number), part: 0 }, 1);
            }
            while spool.usage().jobs > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let name = format!("finish {} KiB", size >> 10);
            row(&name, count, 1, start, before, written() - octets, count * size as u64);
        }
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    println!("| on disk after that: {} MiB | | | | | |", spool.usage().disk >> 20);
    spool.close().await;
    Ok(())
}

fn row(
    name: &str,
    count: u64,
    writers: u64,
    start: Instant,
    before: Duration,
    written: u64,
    octets: u64,
) {
    let rate = count as f64 / start.elapsed().as_secs_f64();
    let micros = (cpu() - before).as_micros() as f64 / count as f64;
    let ratio = written as f64 / octets as f64;
    println!("| {name} | {count} | {writers} | {rate:.0} | {micros:.1} | {ratio:.2} |");
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
}

async fn restart(directory: &Path, jobs: u64) -> Result<(), Failure> {
    let spool = Arc::new(open(directory)?.spool);
    let content = Bytes::from(vec![b'x'; 1 << 10]);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (spool, content) = (spool.clone(), content.clone());
        tasks.spawn(async move {
            for _ in 0..jobs / 500 {
                let arrival = arrival(&spool, NewContent::Memory(content.clone()));
                if spool.accept(arrival).await.is_err() {
                    return;
                }
            }
        });
    }
    tasks.join_all().await;
    // Not closed: as after a kill, the last segment has no hint.
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(spool);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident();
    let start = Instant::now();
    let opened = open(directory)?;
    println!();
    println!(
        "restart with {} jobs: {:.2} s, {} octets of memory a job",
        opened.found.len(),
        start.elapsed().as_secs_f64(),
        (resident().saturating_sub(before) << 10) / opened.found.len().max(1) as u64,
    );
    opened.spool.close().await;
    drop(opened);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

async fn big(directory: &Path) -> Result<(), Failure> {
    let spool = open(directory)?.spool;
    let (before, start) = (resident(), Instant::now());
    let mut most = 0;
    let mut staged = spool.stage().await?;
    for _ in 0..50 * 16 {
        staged.write(Bytes::from(vec![b'x'; 64 << 10])).await?;
        most = most.max(resident());
    }
    let accepted = spool.accept(arrival(&spool, NewContent::Staged(staged))).await?;
    let mut read = 0;
    while read < accepted.content.len() {
        read += accepted.content.read(read, 256 << 10).await?.len() as u64;
        most = most.max(resident());
    }
    println!(
        "50 MiB message in and out: {:?}, {} KiB more memory",
        start.elapsed(),
        most.saturating_sub(before)
    );
    spool.close().await;
    Ok(())
}
