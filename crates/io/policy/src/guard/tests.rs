//! Who is locked, by whom, and above all who is not; and that a restart changes nothing.

use std::{path::Path, sync::Arc};

use world::sim::disk::SimDisk;

use super::*;

const USER: &str = "anna@a.test";

struct World {
    guard: Guard,
    settings: Logins,
    now: Timestamp,
    guesses: u32,
}

impl World {
    fn new() -> Self {
        let settings =
            Logins { per_client: 10, per_network: 30, per_user: 10, ..Logins::default() };
        Self::on(&SimDisk::new(1), settings)
    }

    fn on(disk: &SimDisk, settings: Logins) -> Self {
        let now = Timestamp(1_000_000);
        let guard = opened(disk, &settings, now);
        Self { guard, settings, now, guesses: 0 }
    }

    fn write(&self) {
        self.guard.write(&self.settings, self.now, true).unwrap();
    }

    /// The same after the process's end.
    fn restart(&mut self, disk: &SimDisk) {
        self.guard = opened(disk, &self.settings, self.now);
    }

    fn enter(&self, client: &str, user: &str) -> Result<Try, Lock> {
        self.guard.attempt(&self.settings, client.parse().unwrap(), user, self.now)
    }

    /// Another wrong password. Who is locked then, if it is looked at at all.
    fn guess(&mut self, client: &str, user: &str) -> Result<Duration, String> {
        self.guesses += 1;
        let password = format!("guess {}", self.guesses);
        self.wrong(client, user, &password)
    }

    fn wrong(&mut self, client: &str, user: &str, password: &str) -> Result<Duration, String> {
        let tried = self.enter(client, user).map_err(|lock| lock.to_string())?;
        Ok(tried.failed(&self.settings, Some(password.as_bytes()), self.now).delay)
    }

    fn right(&mut self, client: &str, user: &str) -> Result<(), String> {
        let tried = self.enter(client, user).map_err(|lock| lock.to_string())?;
        tried.succeeded(&self.settings, self.now);
        Ok(())
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }
}

fn opened(disk: &SimDisk, settings: &Logins, now: Timestamp) -> Guard {
    let disk = Arc::new(disk.clone());
    Guard::open(disk, Path::new("/logins"), settings, b"key", now, Arc::default()).unwrap()
}

#[test]
fn an_address_is_slowed_then_locked_for_longer_each_time() {
    let mut world = World::new();
    let delays: Vec<u64> =
        (0..10).map(|_| world.guess("192.0.2.1", USER).unwrap().as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 15, 15, 15, 15, 15, 15]);
    // The user is full as well, but the address is what is said.
    assert_eq!(
        world.guess("192.0.2.1", "bob").unwrap_err(),
        "the client 192.0.2.1 is locked for 15m"
    );
    world.pass(15 * 60);
    for _ in 0..10 {
        world.guess("192.0.2.1", "bob").unwrap();
    }
    assert_eq!(
        world.guess("192.0.2.1", "bob").unwrap_err(),
        "the client 192.0.2.1 is locked for 30m"
    );
    world.pass(2 * 86_400);
    for _ in 0..10 {
        world.guess("192.0.2.1", "eve").unwrap();
    }
    assert_eq!(
        world.guess("192.0.2.1", "eve").unwrap_err(),
        "the client 192.0.2.1 is locked for 15m"
    );
}

#[test]
fn points_fall_with_time() {
    let mut world = World::new();
    for _ in 0..100 {
        world.guess("192.0.2.1", USER).unwrap();
        world.pass(61);
    }
}

#[test]
fn strangers_lock_nobody_out() {
    let mut world = World::new();
    world.right("198.51.100.7", USER).unwrap();
    for last in 1..=10 {
        world.guess(&format!("203.0.{last}.1"), "Anna@A.test").unwrap();
    }
    let locked = world.right("203.0.113.1", USER).unwrap_err();
    assert_eq!(locked, "the user, for strangers anna@a.test is locked for 15m");
    world.right("198.51.100.7", USER).unwrap();
    // Nor do those who sit in the same network, behind the same address.
    for _ in 0..10 {
        world.guess("198.51.100.7", "bob").unwrap();
    }
    assert!(world.right("198.51.100.7", "bob").is_err());
    world.right("198.51.100.7", USER).unwrap();
    // His own mistakes there are counted by themselves, and do not lock his colleagues.
    world.guard.unlock("");
    for _ in 0..10 {
        world.guess("198.51.100.7", USER).unwrap();
    }
    let locked = world.guess("198.51.100.7", USER).unwrap_err();
    assert_eq!(locked, "the user, where known anna@a.test at 198.51.100.7 is locked for 15m");
    world.right("198.51.100.7", "bob").unwrap();
}

#[test]
fn being_known_ends() {
    let mut world = World::new();
    world.right("198.51.100.7", USER).unwrap();
    world.pass(36 * 86_400);
    for last in 1..=10 {
        world.guess(&format!("203.0.{last}.1"), USER).unwrap();
    }
    assert!(world.right("198.51.100.7", USER).is_err());
}

#[test]
fn the_old_password_again_is_one_guess() {
    let mut world = World::new();
    for _ in 0..1_000 {
        let delay = world.wrong("192.0.2.1", USER, "of last year").unwrap();
        assert_eq!(delay.as_secs(), 1);
        world.pass(5);
    }
    world.right("192.0.2.1", USER).unwrap();
    let shown = world.guard.list(Timestamp(1_000_001));
    assert_eq!(shown.iter().map(|shown| shown.failures).max(), Some(1));
}

#[test]
fn many_names_cost_more_than_one() {
    let mut world = World::new();
    for name in 0..4 {
        world.guess("192.0.2.1", &format!("user{name}")).unwrap();
    }
    assert!(world.guess("192.0.2.1", "user5").is_err(), "1 + 2 + 3 + 4 = 10");
}

#[test]
fn neighbours_are_locked_together_late() {
    let mut world = World::new();
    for last in 0..30 {
        world.guess(&format!("192.0.2.{}", last % 10), &format!("user{}", last % 10)).unwrap();
    }
    let locked = world.guess("192.0.2.200", USER).unwrap_err();
    assert_eq!(locked, "the network 192.0.2.0/24 is locked for 15m");
    // An IPv6 /64 is one client, a /48 one network.
    let mut world = World::new();
    for last in 1..=10 {
        world.guess(&format!("2001:db8:1:2::{last}"), USER).unwrap();
    }
    let locked = world.guess("2001:db8:1:2:ffff::1", "bob").unwrap_err();
    assert_eq!(locked, "the client 2001:db8:1:2::/64 is locked for 15m");
    world.guess("2001:db8:1:3::1", "bob").unwrap();
}

#[test]
fn a_thousand_at_once_are_not_all_looked_at() {
    let world = World::new();
    let under_way: Vec<_> = (0..1_000).map_while(|_| world.enter("192.0.2.1", USER).ok()).collect();
    assert_eq!(under_way.len(), 10);
    drop(under_way);
    assert!(world.enter("192.0.2.1", USER).is_ok(), "nothing was said of them, so nothing counts");
    assert_eq!(world.guard.list(world.now), []);
}

#[test]
fn an_operator_sees_and_unlocks() {
    let mut world = World::new();
    for _ in 0..10 {
        world.guess("192.0.2.1", USER).unwrap();
    }
    let shown: Vec<_> = world
        .guard
        .list(world.now)
        .into_iter()
        .map(|shown| (shown.subject.to_string(), shown.failures, shown.locked.is_some()))
        .collect();
    let of = |subject: &str, locked| (subject.to_owned(), 10, locked);
    assert_eq!(shown, [of("192.0.2.1", true), of("anna@a.test", true), of("192.0.2.0/24", false)]);
    assert_eq!(world.guard.unlock("192.0.2.1"), 2, "the client, and its network");
    assert_eq!(world.guard.unlock("ANNA@a.test"), 1);
    world.guess("192.0.2.1", USER).unwrap();
    assert_eq!(world.guard.unlock("203.0.113.1"), 0);
}

#[test]
fn who_it_is_may_be_known_only_at_the_end() {
    let mut world = World::new();
    let named = |world: &World, client: &str, user: &str| {
        let tried = world.enter(client, "").map_err(|lock| lock.to_string())?;
        assert!(tried.is_nameless());
        tried.named(&world.settings, user, world.now).map_err(|lock| lock.to_string())
    };
    // Those who have no name yet stand in nobody's way but their own client's.
    let under_way: Vec<_> =
        (0..100).map(|last| world.enter(&format!("192.0.{last}.1"), "").unwrap()).collect();
    named(&world, "198.51.100.7", USER).unwrap().succeeded(&world.settings, world.now);
    drop(under_way);
    assert_eq!(world.guard.list(world.now), []);
    // One that never gets a name counts against client and network.
    for _ in 0..4 {
        let tried = world.enter("192.0.2.1", "").unwrap();
        assert_eq!(tried.failed(&world.settings, None, world.now).locked, None);
    }
    let shown: Vec<_> =
        world.guard.list(world.now).iter().map(|shown| shown.subject.to_string()).collect();
    assert_eq!(shown, ["192.0.2.1", "192.0.2.0/24"]);
    // A lock by strangers' guesses holds where the name comes last, and not where he is known.
    for last in 1..=10 {
        world.guess(&format!("203.0.{last}.1"), USER).unwrap();
    }
    let locked = named(&world, "203.0.113.1", USER).err().unwrap();
    assert_eq!(locked, "the user, for strangers anna@a.test is locked for 15m");
    named(&world, "198.51.100.7", USER).unwrap().succeeded(&world.settings, world.now);
}

#[test]
fn a_name_is_the_same_however_a_directory_takes_it() {
    let mut world = World::new();
    for (last, user) in ["anna@a.test", "Anna@A.test", " anna@a.test", "anna@a.test  "]
        .iter()
        .cycle()
        .take(10)
        .enumerate()
    {
        world.guess(&format!("203.0.{last}.1"), user).unwrap();
    }
    assert!(world.guess("192.0.2.1", USER).is_err());
}

#[tokio::test(start_paused = true)]
async fn so_many_wait_and_no_more() {
    let mut world = World::new();
    world.settings.held_max = 2;
    let mut failures = Vec::new();
    for last in 1..=3 {
        let tried = world.enter(&format!("192.0.{last}.1"), USER).unwrap();
        failures.push(tried.failed(&world.settings, None, world.now));
    }
    let third = failures.pop().unwrap();
    let began = tokio::time::Instant::now();
    third.wait().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    failures.pop().unwrap().wait().await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    let again = world.enter("192.0.9.1", USER).unwrap().failed(&world.settings, None, world.now);
    again.wait().await;
    assert_eq!(began.elapsed(), Duration::from_secs(2), "a place is free again");
}

#[test]
fn what_does_not_exist_is_locked_like_what_does() {
    // Nothing in here knows which is which; this holds the signature to it.
    let mut world = World::new();
    for last in 1..=10 {
        world.guess(&format!("203.0.{last}.1"), "nobody@nowhere.test").unwrap();
    }
    assert!(world.guess("192.0.2.1", "nobody@nowhere.test").is_err());
}

#[test]
fn a_restart_forgives_nothing_and_forgets_nobody() {
    let disk = SimDisk::new(1);
    let mut world = World::on(&disk, World::new().settings);
    world.write();
    assert!(disk.list(Path::new("/logins")).is_err(), "nothing to keep, no file");
    world.right("198.51.100.7", USER).unwrap();
    for last in 1..=10 {
        world.guess(&format!("203.0.{last}.1"), USER).unwrap();
    }
    for _ in 0..7 {
        world.guess("192.0.2.1", "bob").unwrap();
    }
    let before = world.guard.list(world.now);
    world.write();
    world.restart(&disk);
    assert_eq!(world.guard.list(world.now), before);
    assert!(world.guess("203.0.113.1", USER).is_err(), "the lock holds");
    world.right("198.51.100.7", USER).expect("he is known there");
    // Three more are too many: the seven before count, and bob is no new name.
    for _ in 0..3 {
        world.guess("192.0.2.1", "bob").unwrap();
    }
    let locked = world.guess("192.0.2.1", "bob").unwrap_err();
    assert_eq!(locked, "the client 192.0.2.1 is locked for 15m");
    // What an operator forgets stays forgotten, and the next lock is as long as it would have been.
    assert_eq!(world.guard.unlock("203.0.113.1") + world.guard.unlock(USER), 1);
    world.pass(15 * 60);
    world.write();
    world.restart(&disk);
    world.right("203.0.113.1", USER).unwrap();
    for _ in 0..10 {
        world.guess("192.0.2.1", "eve").unwrap();
    }
    let locked = world.guess("192.0.2.1", "eve").unwrap_err();
    assert_eq!(locked, "the client 192.0.2.1 is locked for 30m");
    // All of it is past one day.
    world.pass(40 * 86_400);
    world.restart(&disk);
    assert_eq!(world.guard.state(|state| state.book.len()), 0);
}

#[test]
fn a_clock_that_was_wrong_locks_nobody_for_years() {
    let disk = SimDisk::new(1);
    let mut world = World::on(&disk, World::new().settings);
    let now = world.now;
    world.pass(20 * 365 * 86_400);
    for _ in 0..10 {
        world.guess("192.0.2.1", USER).unwrap();
    }
    world.write();
    world.now = now;
    world.restart(&disk);
    let shown = world.guard.list(now);
    let longest = shown.iter().filter_map(|shown| shown.locked).max().unwrap();
    assert_eq!(longest, now.after(world.settings.lock_max));
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let disk = SimDisk::new(1);
    let mut world = World::on(&disk, World::new().settings);
    let length = || disk.open(Path::new("/logins/logins.log"), Open::Read).unwrap().len().unwrap();
    let mut most = 0;
    for _ in 0..200 {
        for client in 0..50 {
            world.guess(&format!("192.0.{client}.1"), "bob").ok();
        }
        world.pass(61);
        world.write();
        most = most.max(length());
    }
    assert!(most < 200_000, "{most} octets for 101 subjects");
}

use proptest::prelude::*;
use world::{Disk, disk::Open};

proptest! {
    /// Cut off or damaged anywhere, it opens, and what was read is a book of some moment.
    #[test]
    fn what_a_crash_leaves_opens(cut in 0..600_u64, octet in any::<u8>(), is_cut in any::<bool>()) {
        let disk = SimDisk::new(1);
        let mut world = World::on(&disk, World::new().settings);
        let mut moments = vec![Vec::new()];
        for last in 1..=4 {
            world.guess(&format!("192.0.2.{last}"), USER).unwrap();
            moments.push(world.guard.list(world.now));
        }
        world.write();
        let file = disk.open(Path::new("/logins/logins.log"), Open::Write).unwrap();
        match is_cut {
            true => file.set_len(cut.min(file.len().unwrap())).unwrap(),
            false => world::disk::write_all_at(&*file, cut.min(file.len().unwrap() - 1), &[octet]).unwrap(),
        }
        world.restart(&disk);
        let shown = world.guard.list(world.now);
        // A failure is several changes: between them only the last failure's subjects may be newer.
        let newer = |moment: &[Shown]| shown.iter().filter(|one| !moment.contains(one)).count();
        prop_assert!(moments.iter().any(|moment| newer(moment) <= 3), "{shown:?}");
        world.guess("192.0.2.9", USER).unwrap();
        world.write();
        let before = world.guard.list(world.now);
        world.restart(&disk);
        prop_assert_eq!(world.guard.list(world.now), before);
    }
}
