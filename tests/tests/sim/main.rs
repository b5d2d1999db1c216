//! A small world for some virtual weeks: four transfer agents that lose their power at any step of
//! their disks, disks that fill up, writes and syncs that fail, operators who change their minds, next hops
//! of every temper, clients of every manner, a network that breaks; and what was promised holds all the
//! same.
//!
//! - Each acknowledged message ends, recipient by recipient, in a delivery, in a report to its
//!   reverse-path, or in a documented double bounce; so no `250` comes before the sync, and every retry
//!   series ends.
//! - What was refused to a stranger arrives nowhere, and nothing of a stranger's leaves for a domain that is
//!   not ours. No report goes to a null reverse-path.
//! - What was turned away after its content arrives nowhere: the client has it, and will come again.
//! - What is to be held back is not sent before its time; what is to be delivered in time or returned, not
//!   long after it.
//! - It comes twice only where a crash or a lost reply fell between the peer's `250` and our record.
//! - Below the trace fields the content is, octet for octet, what the client sent; or, for a next hop that can't
//!   take octets beyond ASCII, a lawful conversion.
//! - Where TLS was promised (by a route, by MTA-STS or DANE, by REQUIRETLS, by a listener), nobody who listens on
//!   the wire hears a content, and nobody hears a password anywhere; whoever sits in between and is not the next
//!   hop is told nothing.
//! - Nobody signs in with a wrong password, sends as somebody else, or has what he said in clear count inside TLS.
//! - Whoever says anything at all, in any order, gets what the dialogue promises him, and nothing else.
//! - No next hop is told what it does not offer; and what it offers and somebody asked for, it is told.
//! - Who guesses at passwords is locked out, with the right one, too; users where they are known are not.
//! - Who is named by a proxy has his own rights, not the proxy's; and nobody else is believed who he is not.
//!
//! One seed, one course of events. `cargo x sim --seeds 100 --days 14`, or `--seed 7` for one of them
//! with its whole course in `target/sim-7.txt`. What seeds have found is in `tests/sim-seeds.txt`.

mod between;
mod client;
mod conversion;
mod eavesdropper;
mod errand;
mod events;
mod host;
mod impostor;
mod judge;
mod ledger;
mod map;
mod named;
mod odd;
mod operator;
mod peer;
mod policy_host;
mod scene;
mod scram;
mod tls;
mod trouble;
mod user;
mod wire;

use std::time::Duration;

/// Seeds that once found something, with what it was.
const FOUND: &str = include_str!("../../sim-seeds.txt");
/// So many are run when nothing is asked for.
const SEEDS: u64 = 1;
/// The first of them.
const SEED_FIRST: u64 = 2;
/// Virtual days, unless asked for: five to give a message up, five more for its report.
const DAYS: u64 = 14;
/// Mail is sent on the first day only.
const DAYS_SHORT: u64 = 12;

fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, which is no number")))
}

/// Runs one world to its end; panics with all that is broken.
fn run(seed: u64, days: u64, with_course: bool) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let began = std::time::Instant::now();
    let end = runtime.block_on(scene::play(seed, days, with_course));
    let took = began.elapsed();
    let judgement = &end.judgement;
    println!(
        "seed {seed}: {} acknowledged, {} delivered, {} reported, {} double bounces, {} twice, {} converted, \
         {} international, {} in TLS, {} logins ({} by SCRAM), {} kept out, {} crashes, {} events ({:016x}), {} h virtual in {:.1} s",
        judgement.acknowledged,
        judgement.delivered,
        judgement.reported,
        judgement.double_bounces,
        judgement.duplicates,
        judgement.converted,
        judgement.international,
        judgement.sealed,
        judgement.logins,
        judgement.scram,
        judgement.kept_out,
        judgement.crashes,
        end.course.1,
        end.course.0,
        end.took.as_secs() / 3600,
        took.as_secs_f64(),
    );
    if let Some(lines) = &end.lines {
        let path = format!("{}/../target/sim-{seed}.txt", env!("CARGO_MANIFEST_DIR"));
        std::fs::write(&path, lines.join("\n")).expect("target is there");
        println!("its course is in {path}");
    }
    let broken = &judgement.broken;
    assert!(
        broken.is_empty(),
        "seed {seed} over {days} days: {} promises broken; `cargo x sim --seed {seed} --days {days}` shows it again\n{}",
        broken.len(),
        broken.iter().take(20).cloned().collect::<Vec<_>>().join("\n"),
    );
    assert!(
        judgement.acknowledged > 10 && judgement.crashes > 2 && judgement.international > 0,
        "seed {seed}: next to nothing happened"
    );
    assert!(
        judgement.logins > judgement.scram && judgement.scram > 0 && judgement.sealed > 0,
        "seed {seed}: nobody signed in by PLAIN or SCRAM, or nothing went in TLS"
    );
    end.course
}

/// What a world has come to.
struct End {
    judgement: judge::Judgement,
    course: (u64, u64),
    lines: Option<Vec<String>>,
    took: Duration,
}

#[test]
fn worlds_of_some_seeds_keep_their_promises() {
    let days = asked("SIM_DAYS").unwrap_or(DAYS);
    if let Some(seed) = asked("SIM_SEED") {
        run(seed, days, true);
        return;
    }
    for seed in SEED_FIRST..SEED_FIRST + asked("SIM_SEEDS").unwrap_or(SEEDS) {
        run(seed, days, false);
    }
}

#[test]
fn what_seeds_have_found_stays_mended() {
    for line in FOUND.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let mut words = line.split_whitespace().map(|word| word.parse::<u64>());
        let (Some(Ok(seed)), Some(Ok(days))) = (words.next(), words.next()) else {
            panic!("`{line}` is no seed and number of days");
        };
        run(seed, days, false);
    }
}

#[test]
fn one_seed_is_one_course_of_events() {
    let seed = asked("SIM_SEED").unwrap_or(9);
    assert_eq!(
        run(seed, DAYS_SHORT, false),
        run(seed, DAYS_SHORT, false),
        "seed {seed} went two ways"
    );
}
