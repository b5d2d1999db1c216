//! Delivery into a Maildir: what is written, and what a power cut leaves.

mod peer;

use std::{path::Path, sync::Arc};

use peer::{PEER, memory};
use smtp::{Outcome, Recipient};
use transport::maildir::{Delivery, deliver};
use world::{
    World,
    disk::{Disk, Open},
    sim::{SimWorld, disk::SimDisk},
};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(test)
}

async fn deliver_one(world: &World) -> Outcome {
    let content = memory("Subject: x\r\n\r\nhello\r\n");
    let recipient = Recipient::new("b@b.test".parse().expect("an address"));
    let reverse_path = Some("a@a.test".parse().expect("an address"));
    let delivery = Delivery {
        reverse_path: &reverse_path,
        recipient: &recipient,
        host: "mx/b:test",
        content: &content,
    };
    deliver(world, Path::new("/mail/b"), &delivery).await
}

/// The messages in `new`, whole.
fn delivered(disk: &SimDisk) -> Vec<String> {
    let Ok(names) = disk.list(Path::new("/mail/b/new")) else { return Vec::new() };
    let read = |name: &std::path::PathBuf| {
        let path = Path::new("/mail/b/new").join(name);
        let file = disk.open(&path, Open::Read).expect("there");
        let mut octets = vec![0; usize::try_from(file.len().expect("a length")).expect("small")];
        world::disk::read_exact_at(&*file, 0, &mut octets).expect("read");
        String::from_utf8(octets).expect("text")
    };
    names.iter().map(read).collect()
}

#[test]
fn two_trace_fields_stand_on_top() {
    run(async {
        let disk = SimDisk::new(3);
        let world = SimWorld::new(3).world_for(PEER.into(), Arc::new(disk.clone()));
        assert!(matches!(deliver_one(&world).await, Outcome::Relayed(_)));
        assert!(matches!(deliver_one(&world).await, Outcome::Relayed(_)));
        let expected =
            "Return-Path: <a@a.test>\r\nDelivered-To: b@b.test\r\nSubject: x\r\n\r\nhello\r\n";
        assert_eq!(delivered(&disk), [expected; 2]);
        assert!(disk.list(Path::new("/mail/b/tmp")).expect("there").is_empty());
    });
}

#[test]
fn what_was_relayed_survives_a_power_cut_at_any_step() {
    let mut relayed_once = false;
    for step in 0..40 {
        run(async {
            let disk = SimDisk::new(step);
            let world = SimWorld::new(step).world_for(PEER.into(), Arc::new(disk.clone()));
            disk.crash_after(step);
            let relayed = matches!(deliver_one(&world).await, Outcome::Relayed(_));
            relayed_once |= relayed;
            disk.crash();
            let left = delivered(&disk);
            if relayed {
                assert_eq!(left.len(), 1, "lost after {step} steps");
                assert!(left[0].ends_with("hello\r\n"), "torn after {step} steps");
            }
        });
    }
    assert!(relayed_once);
}

#[test]
fn a_full_disk_defers() {
    run(async {
        let disk = SimDisk::new(3);
        let world = SimWorld::new(3).world_for(PEER.into(), Arc::new(disk.clone()));
        disk.limit(10);
        let Outcome::Deferred(cause) = deliver_one(&world).await else { panic!("there was room") };
        assert_eq!(cause.status(false).to_string(), "4.3.1");
        assert_eq!(cause.trouble.to_string(), "the disk that holds `/mail/b` is full");
        assert!(delivered(&disk).is_empty());
    });
}
