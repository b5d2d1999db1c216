//! The fuzz targets, each for a while. What they start from is made of `tests/golden`: dialogues, logs, reports,
//! and the example of the configuration; so it is always what this version says.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::shell::{self, Outcome};

/// Names the octets that stand in front of a seed for each target, and where its seeds are taken from.
const FILES: &[(&str, &[u8], &str, &str)] = &[
    ("log", &[7], "tests/golden/logs", "log"),
    ("transcript", &[], "tests/golden/transcripts", "txt"),
    ("ndr", &[], "tests/golden", "md"),
    ("ndr", &[], "crates/pure/diagnose/tests/ndr", "eml"),
    ("seven_bit", &[], "tests/golden", "md"),
    ("header", &[9], "tests/golden", "md"),
    ("config", &[], "docs", "toml"),
    ("capture", &[1, 0, 0], "fuzz/seeds", "pcap"),
    ("capture", &[1, 0, 0], "fuzz/seeds", "pcapng"),
];

/// Which bit of the first octet chooses a variant of `server-*.md` (fuzz_targets/server.rs has them).
const VARIANTS: [&str; 8] =
    ["everything", "tls-only", "submission", "stranger", "lmtp", "normalize", "implicit", "auth"];

/// Each fuzz target for a while.
pub fn run(arguments: &[String]) -> Outcome {
    let mut arguments = arguments.to_vec();
    let seconds = shell::option(&mut arguments, "--seconds")?.unwrap_or_else(|| "60".to_owned());
    if !shell::has("cargo-fuzz") {
        return Err("cargo-fuzz is missing: run `cargo install cargo-fuzz`".to_owned());
    }
    let target_folder = shell::root().join("target/fuzz");
    for target in targets(&arguments)? {
        let seeds = target_folder.join("seeds").join(&target);
        let corpus = target_folder.join("corpus").join(&target);
        seed(&target, &seeds).map_err(|error| format!("{}: {error}", seeds.display()))?;
        fs::create_dir_all(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
        let limit = format!("-max_total_time={seconds}");
        // There is no `unsafe` of ours that an address sanitizer could find fault with.
        let mut fuzz = shell::command("cargo", &["fuzz", "run", "-s", "none", "--target-dir"]);
        fuzz.arg(&target_folder).arg(&target).arg(&corpus).arg(&seeds);
        fuzz.args(["--", &limit, "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1"]);
        // Coverage needs unstable compiler flags; the toolchain is the stable one all the same.
        shell::run(fuzz.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}

/// Those that were named, or all.
fn targets(named: &[String]) -> Result<Vec<String>, String> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut all: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    all.sort();
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        return Err(format!("there is no target `{unknown}`; there are {}", all.join(" ")));
    }
    all.retain(|target| named.is_empty() || named.contains(target));
    Ok(all)
}

/// Writes a target's seeds.
fn seed(target: &str, seeds: &Path) -> std::io::Result<()> {
    fs::create_dir_all(seeds)?;
    let own = shell::root().join("fuzz/seeds").join(target);
    if own.is_dir() {
        for entry in fs::read_dir(own)? {
            let entry = entry?;
            fs::copy(entry.path(), seeds.join(entry.file_name()))?;
        }
    }
    for (_, head, folder, extension) in FILES.iter().filter(|(name, ..)| *name == target) {
        for path in files(folder, extension)? {
            let name = path.file_name().unwrap_or_default();
            fs::write(seeds.join(name), [head, &fs::read(&path)?[..]].concat())?;
        }
    }
    let pages = match target {
        "server" => "server-",
        "client" => "client-",
        _ => return Ok(()),
    };
    for path in files("tests/golden", "md")? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(pages) {
            for (number, block) in
                blocks(&fs::read_to_string(&path)?, target).into_iter().enumerate()
            {
                fs::write(seeds.join(format!("{name}-{number}")), block)?;
            }
        }
    }
    Ok(())
}

/// The files of that kind in a folder of the project.
pub fn files(folder: &str, extension: &str) -> std::io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(shell::root().join(folder))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect())
}

/// The dialogues of a page: what the peer of the machine sends, with what chooses the variant before it.
fn blocks(page: &str, target: &str) -> Vec<Vec<u8>> {
    let is_server = target == "server";
    let (mut blocks, mut block) = (Vec::new(), None::<Vec<u8>>);
    for line in page.lines() {
        if let Some(words) = line.strip_prefix("```smtp") {
            let bits = VARIANTS.iter().enumerate().filter(|(_, word)| words.contains(*word));
            let choice = bits.fold(0, |choice, (bit, _)| choice | 1_u8 << bit);
            block = Some(if is_server { vec![choice, 0, 0, 0] } else { vec![0, 0] });
        } else if line.starts_with("```") {
            blocks.extend(block.take());
        } else if let Some(block) = &mut block {
            match line.split_once(' ') {
                Some(("C:", text)) if is_server => add(text, b"\r\n", block),
                Some(("C>", text)) if is_server => add(text, b"", block),
                Some(("S:" | "S~" | "S*", text)) if !is_server => add(text, b"\r\n", block),
                Some(("*", "TLS")) if is_server => block.extend_from_slice(&[0xfe, 0]),
                Some(("*", "TLS failed")) if is_server => block.extend_from_slice(&[0xfe, 1]),
                Some(("*", "silence")) => block.extend_from_slice(&[0xfe, 2]),
                _ => {}
            }
        }
    }
    blocks
}

/// A line with the commonest of its escapes read.
fn add(text: &str, end: &[u8], block: &mut Vec<u8>) {
    let text = text.split("\\*").next().unwrap_or_default();
    let text = text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0");
    block.extend_from_slice(text.as_bytes());
    block.extend_from_slice(end);
}
