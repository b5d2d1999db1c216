//! Reads a capture from standard input and tells what is in it; a line for each session with `--list`.
//!
//! `cargo run --release -p mailwright-capture --example sessions -- [--list] <FILE`

use std::io::{self, Read};

use capture::{Analysis, Limits};

fn main() -> io::Result<()> {
    let is_list = std::env::args().any(|argument| argument == "--list");
    let (mut analysis, mut input) = (Analysis::new(Limits::default()), io::stdin().lock());
    let (mut buffer, mut lines, mut memory) = (vec![0; 256 << 10], 0, 0);
    loop {
        let length = input.read(&mut buffer)?;
        if length == 0 {
            analysis.finish();
        } else {
            analysis.feed(&buffer[..length]);
        }
        memory = memory.max(analysis.progress().memory);
        for session in analysis.sessions() {
            lines += session.lines.len();
            if is_list {
                let name = |end: &diagnose::session::Endpoint| {
                    end.address.map_or_else(|| "?".into(), |address| address.to_string())
                };
                let wire = session.wire.unwrap_or_default();
                println!(
                    "{} {} {} lines",
                    name(&session.client),
                    name(&session.server),
                    session.lines.len()
                );
                println!(
                    "  client {:?}\n  server {:?}\n  icmp {:?}",
                    wire.client, wire.server, wire.icmp
                );
            }
        }
        if length == 0 {
            break;
        }
    }
    let progress = analysis.progress();
    println!(
        "{} octets, {} packets, {} sessions with {lines} lines; connections held {memory} octets",
        progress.octets, progress.packets, progress.sessions
    );
    for problem in analysis.problems() {
        println!("{problem}");
    }
    Ok(())
}
