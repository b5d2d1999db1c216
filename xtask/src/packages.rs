//! The Debian packages that tests and benchmarks use.
//!
//! Debian's Postfix and Exim exclude each other, so Postfix is installed and Exim is unpacked beside
//! the build.

use std::path::PathBuf;

use crate::shell::{self, Outcome};

/// Program, and the package that it comes in.
const PROGRAMS: &[(&str, &str)] = &[
    ("smtp-source", "postfix"),
    ("swaks", "swaks"),
    ("unbound", "unbound"),
    ("python3", "python3"),
    ("strace", "strace"),
];

/// Shared libraries that the unpacked Exim loads.
const EXIM_PACKAGE: &str = "exim4-daemon-light";

/// Where the unpacked Exim's program is.
pub fn exim() -> PathBuf {
    shell::target().join("peers/exim/usr/sbin/exim4")
}

/// Installs what is missing, or says how if we may not.
pub fn run(_arguments: &[String]) -> Outcome {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shell::has(program))
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    let exim_missing = !exim().is_file();
    if missing.is_empty() && !exim_missing {
        return Ok(());
    }
    let may = shell::has("apt-get") && is_root();
    if !may {
        let list = missing.join(" ");
        return Err(format!(
            "some tests need Debian packages: run `apt-get install -y --no-install-recommends {list}` as root, \
             and `cargo x packages` again as root for Exim"
        ));
    }
    shell::run(&mut shell::command("apt-get", &["update", "-qq"]))?;
    if !missing.is_empty() {
        let mut install =
            shell::command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
        install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive");
        shell::run(&mut install)?;
    }
    if exim_missing { unpack_exim() } else { Ok(()) }
}

fn is_root() -> bool {
    shell::output(&mut shell::command("id", &["-u"])).is_ok_and(|id| id == "0")
}

/// Exim and its libraries, as far as the system lacks them, without asking dpkg to install anything.
fn unpack_exim() -> Outcome {
    let folder = shell::target().join("peers");
    let downloads = folder.join("downloads");
    std::fs::create_dir_all(&downloads)
        .map_err(|error| format!("{}: {error}", downloads.display()))?;
    let packages = [EXIM_PACKAGE, "exim4-base", "libidn12", "libspf2-2", "libopendmarc2"];
    for package in packages {
        let mut download = shell::command("apt-get", &["download", "-qq", package]);
        let done = shell::run(download.current_dir(&downloads));
        // Which libraries Exim wants differs between releases: only Exim itself must be there.
        if package == EXIM_PACKAGE {
            done?;
        }
    }
    let into = folder.join("exim");
    let entries = std::fs::read_dir(&downloads).map_err(|error| error.to_string())?;
    for package in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
    {
        let arguments = ["-x".as_ref(), package.as_os_str(), into.as_os_str()];
        shell::run(std::process::Command::new("dpkg").args(arguments))?;
    }
    match exim().is_file() {
        true => Ok(()),
        false => Err(format!("no Exim at {} after unpacking", exim().display())),
    }
}
