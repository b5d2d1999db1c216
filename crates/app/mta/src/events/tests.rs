//! Lines as they come out, and what they cost.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tracing::{Level, debug, error, info, warn};

use super::*;

/// What was written, and in how many writes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<(Vec<u8>, usize)>>);

impl Write for Written {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut written = self.0.lock().expect("whole");
        written.0.extend_from_slice(octets);
        written.1 += 1;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("whole").0.clone()).expect("UTF-8")
    }
}

fn events(text: bool, colour: bool) -> (Arc<Events>, Written) {
    let written = Written::default();
    let sink = Sink::Other(Box::new(written.clone()));
    (Arc::new(Events::new(sink, text, colour, Level::INFO).expect("a thread")), written)
}

fn lines(text: bool, colour: bool, write: impl FnOnce()) -> Vec<String> {
    let (events, written) = events(text, colour);
    tracing::subscriber::with_default(Arc::clone(&events), write);
    events.flush();
    written.text().lines().map(str::to_owned).collect()
}

fn samples() {
    info!(id = "00A7KQ", next_hop = %"mx1.b.test", octets = 1_024u64, reply = "250 2.0.0 ok", "relayed");
    info!(said = "a\"b\\c\r\n\u{1b}[31m ü", empty = "", done = true, "odd values");
    info!(limit = -1i64, cause = ?Some(7), "numbers");
    debug!("not heard at this level");
}

#[test]
fn lines_for_people() {
    let lines = lines(true, false, samples);
    let said: Vec<&str> = lines.iter().map(|line| &line["03:12:07.123".len()..]).collect();
    assert_eq!(
        said,
        [
            r#" INFO  relayed id=00A7KQ next_hop=mx1.b.test octets=1024 reply="250 2.0.0 ok""#,
            r#" INFO  odd values said="a\"b\\c\r\n\u{1b}[31m ü" empty="" done=true"#,
            r#" INFO  numbers limit=-1 cause=Some(7)"#,
        ]
    );
}

#[test]
fn lines_in_colour_hold_no_escapes_of_a_peer() {
    let lines = lines(true, true, samples);
    assert!(
        lines[0].contains("\x1b[32mINFO \x1b[0m relayed \x1b[2mid=\x1b[0m00A7KQ"),
        "{}",
        lines[0]
    );
    assert!(!lines[1].contains("\x1b[31m"), "{}", lines[1]);
}

#[test]
fn lines_for_programs() {
    let lines = lines(false, false, samples);
    let lines: Vec<serde_json::Value> =
        lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines[0]["message"], "relayed");
    assert_eq!(lines[0]["octets"], 1_024);
    assert_eq!(lines[0]["level"], "INFO");
    assert_eq!(lines[1]["said"], "a\"b\\c\r\n\u{1b}[31m ü");
    assert_eq!(lines[1]["done"], true);
    assert_eq!(lines[2]["limit"], -1);
    let time = lines[0]["time"].as_str().expect("a time");
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn libraries_are_heard_from_warnings_on() {
    let lines = lines(true, false, || {
        info!(target: "rustls::client", "chatter");
        warn!(target: "hickory_resolver", "trouble");
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_field_may_write_an_event_itself() {
    struct Noisy;
    impl std::fmt::Display for Noisy {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            info!("from within");
            f.write_str("noisy")
        }
    }
    let lines = lines(true, false, || info!(value = %Noisy, "outer"));
    // Tracing itself keeps an event within an event from its subscriber; what counts is that the outer
    // one is whole.
    assert!(lines.iter().any(|line| line.ends_with("outer value=noisy")), "{lines:?}");
}

#[test]
fn nothing_waits_for_long_and_an_error_does_not_wait() {
    let (events, written) = events(true, false);
    tracing::subscriber::with_default(Arc::clone(&events), || {
        for (start, level) in [(Instant::now(), "info"), (Instant::now(), "error")] {
            let before = written.text().len();
            if level == "info" {
                info!("quiet")
            } else {
                error!("loud")
            }
            while written.text().len() == before {
                assert!(start.elapsed() < Duration::from_secs(5), "{level} was never written");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
}

#[test]
fn what_nobody_takes_is_lost_and_counted() {
    struct Stuck(Arc<Mutex<()>>, Written);
    impl Write for Stuck {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            drop(self.0.lock().expect("whole"));
            self.1.write(octets)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (gate, written) = (Arc::new(Mutex::new(())), Written::default());
    let sink = Sink::Other(Box::new(Stuck(Arc::clone(&gate), written.clone())));
    let events = Arc::new(Events::new(sink, true, false, Level::INFO).expect("a thread"));
    let closed = gate.lock().expect("whole");
    let long = "x".repeat(10_000);
    tracing::subscriber::with_default(Arc::clone(&events), || {
        for _ in 0..2_000 {
            info!(long, "much");
        }
    });
    drop(closed);
    events.flush();
    events.flush();
    let text = written.text();
    let told = text.lines().find(|line| line.contains("events lost")).expect("it is said");
    let lost: usize = told.rsplit('=').next().and_then(|n| n.parse().ok()).expect(told);
    assert_eq!(lost + text.lines().count() - text.matches("events lost").count(), 2_000);
}

/// Prints what an event costs; asserts only what no machine should miss.
#[test]
fn cost_of_an_event() {
    for (name, text) in [("text", true), ("json", false)] {
        let (events, written) = events(text, false);
        let rounds = 20_000u32;
        tracing::subscriber::with_default(Arc::clone(&events), || {
            let cost = || {
                let start = Instant::now();
                for number in 0..500 {
                    info!(
                        id = %"00A7KQ",
                        client = "192.0.2.7",
                        reverse_path = "alice@a.test",
                        octets = number,
                        reply = "250 2.0.0 kept as 00A7KQ",
                        "received"
                    );
                }
                start.elapsed() / 500
            };
            // The best of many batches: what it costs when nobody else wants the processor.
            let each = (0..rounds / 500).map(|_| cost()).min().unwrap_or_default();
            println!("{name}: {each:?} for an event");
        });
        events.flush();
        let (octets, writes) = written.0.lock().map(|w| (w.0.len(), w.1)).expect("whole");
        assert!(octets > 0 && writes < rounds as usize / 20, "{writes} writes");
    }
}
