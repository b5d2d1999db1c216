//! The fuzz targets without a fuzzer: that they can be compiled, and that they bear their seeds and some
//! octets by chance. `cargo x fuzz` looks further.

#![allow(unused_attributes)] // each says `no_main` of itself

extern crate self as libfuzzer_sys;

use std::{collections::BTreeSet, fs, path::Path};

pub use arbitrary;

type Run = fn(&[u8]);

/// Each target as a module, and its name beside what runs it.
macro_rules! targets {
    ($($name:ident)*) => {
        #[path = "../../fuzz/fuzz_targets"]
        mod target {
            $(pub mod $name;)*
        }

        const TARGETS: &[(&str, Run)] = &[$((stringify!($name), target::$name::run)),*];
    };
}

targets! {
    address
    capture
    client
    compare
    config
    dovecot_line
    dsn
    evidence
    follower
    greylist
    header
    inspect
    jwt
    ldap
    log
    logins
    mailbox
    mta_sts
    ndr
    notation
    reply
    sasl_client
    sasl_server
    segment
    server
    seven_bit
    transcript
    users
}

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
