//! The fuzz targets without a fuzzer: that they can be compiled, and that they bear their seeds and some
//! octets by chance. `cargo x fuzz` looks further.

#![allow(unused_attributes)] // each says `no_main` of itself

extern crate self as libfuzzer_sys;

use std::{collections::BTreeSet, fs, path::Path};

pub use arbitrary;

#[path = "../../fuzz/fuzz_targets/address.rs"]
mod address;
#[path = "../../fuzz/fuzz_targets/capture.rs"]
mod capture;
#[path = "../../fuzz/fuzz_targets/client.rs"]
mod client;
#[path = "../../fuzz/fuzz_targets/compare.rs"]
mod compare;
#[path = "../../fuzz/fuzz_targets/config.rs"]
mod config;
#[path = "../../fuzz/fuzz_targets/dovecot_line.rs"]
mod dovecot_line;
#[path = "../../fuzz/fuzz_targets/dsn.rs"]
mod dsn;
#[path = "../../fuzz/fuzz_targets/evidence.rs"]
mod evidence;
#[path = "../../fuzz/fuzz_targets/follower.rs"]
mod follower;
#[path = "../../fuzz/fuzz_targets/greylist.rs"]
mod greylist;
#[path = "../../fuzz/fuzz_targets/header.rs"]
mod header;
#[path = "../../fuzz/fuzz_targets/inspect.rs"]
mod inspect;
#[path = "../../fuzz/fuzz_targets/jwt.rs"]
mod jwt;
#[path = "../../fuzz/fuzz_targets/ldap.rs"]
mod ldap;
#[path = "../../fuzz/fuzz_targets/log.rs"]
mod log;
#[path = "../../fuzz/fuzz_targets/logins.rs"]
mod logins;
#[path = "../../fuzz/fuzz_targets/mailbox.rs"]
mod mailbox;
#[path = "../../fuzz/fuzz_targets/mta_sts.rs"]
mod mta_sts;
#[path = "../../fuzz/fuzz_targets/ndr.rs"]
mod ndr;
#[path = "../../fuzz/fuzz_targets/notation.rs"]
mod notation;
#[path = "../../fuzz/fuzz_targets/reply.rs"]
mod reply;
#[path = "../../fuzz/fuzz_targets/sasl_client.rs"]
mod sasl_client;
#[path = "../../fuzz/fuzz_targets/sasl_server.rs"]
mod sasl_server;
#[path = "../../fuzz/fuzz_targets/segment.rs"]
mod segment;
#[path = "../../fuzz/fuzz_targets/server.rs"]
mod server;
#[path = "../../fuzz/fuzz_targets/seven_bit.rs"]
mod seven_bit;
#[path = "../../fuzz/fuzz_targets/transcript.rs"]
mod transcript;
#[path = "../../fuzz/fuzz_targets/users.rs"]
mod users;

// Behind the modules: so they have it by its path, as they have the fuzzer's.
/// What libfuzzer-sys has under that name, as a function.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: $kind:ty| $body:block) => {
        pub fn run(octets: &[u8]) {
            fn one($input: $kind) $body
            let octets = arbitrary::Unstructured::new(octets);
            if let Ok(input) = <$kind as arbitrary::Arbitrary>::arbitrary_take_rest(octets) {
                one(input);
            }
        }
    };
}

type Run = fn(&[u8]);

const TARGETS: &[(&str, Run)] = &[
    ("address", address::run),
    ("capture", capture::run),
    ("client", client::run),
    ("compare", compare::run),
    ("config", config::run),
    ("dovecot_line", dovecot_line::run),
    ("dsn", dsn::run),
    ("evidence", evidence::run),
    ("follower", follower::run),
    ("greylist", greylist::run),
    ("header", header::run),
    ("inspect", inspect::run),
    ("jwt", jwt::run),
    ("ldap", ldap::run),
    ("log", log::run),
    ("logins", logins::run),
    ("mailbox", mailbox::run),
    ("mta_sts", mta_sts::run),
    ("ndr", ndr::run),
    ("notation", notation::run),
    ("reply", reply::run),
    ("sasl_client", sasl_client::run),
    ("sasl_server", sasl_server::run),
    ("segment", segment::run),
    ("server", server::run),
    ("seven_bit", seven_bit::run),
    ("transcript", transcript::run),
    ("users", users::run),
];

fn fuzz() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"))
}

#[test]
fn every_target_is_here_and_is_built_by_the_fuzzer() {
    let files = fs::read_dir(fuzz().join("fuzz_targets")).expect("there are targets");
    let files = files.flatten().map(|file| file.file_name().to_string_lossy().replace(".rs", ""));
    let files: BTreeSet<String> = files.collect();
    let here: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(here, files);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).expect("a manifest");
    for name in &files {
        assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in Cargo.toml");
    }
}

#[test]
fn every_target_bears_its_seeds_and_chance() {
    let mut chance = fastrand::Rng::with_seed(7);
    for (name, run) in TARGETS {
        for seed in fs::read_dir(fuzz().join("seeds").join(name)).into_iter().flatten().flatten() {
            run(&fs::read(seed.path()).expect("a seed can be read"));
        }
        for _ in 0..100 {
            let length = chance.usize(..400);
            let octets: Vec<u8> = (0..length).map(|_| chance.u8(..)).collect();
            run(&octets);
        }
    }
}
