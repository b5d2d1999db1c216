//! Plays the servers' golden pages against the server machine, whole and in pieces.

mod pages;
mod sasl_driver;
mod server_driver;

use pages::{Block, Entry, Page};
use server_driver::Driver;

#[test]
fn servers_pages() {
    let pages = pages::read("server-");
    assert!(pages.len() >= 15, "only {} pages found", pages.len());
    for page in &pages {
        for piece in [usize::MAX, 1, 2, 3, 4, 5, 6, 7] {
            play(page, piece);
        }
    }
}

fn play(page: &Page, piece: usize) {
    let mut driver: Option<Driver> = None;
    for block in &page.blocks {
        let going_on = block.words.iter().any(|word| word == "continued");
        let current = match driver.take().filter(|_| going_on) {
            Some(current) => current,
            None => {
                assert!(!going_on, "{}:{}: nothing to go on with", page.name, block.line);
                Driver::new(&block.words)
            }
        };
        driver = Some(play_block(page, block, current, piece));
    }
}

fn play_block(page: &Page, block: &Block, mut driver: Driver, piece: usize) -> Driver {
    let starts_with_client = block.entries.first().is_none_or(is_action);
    if starts_with_client {
        driver.drop_greeting();
    }
    let mut rest = &block.entries[..];
    while !rest.is_empty() {
        let actions = rest.iter().take_while(|entry| is_action(entry)).count();
        let (batch, after) = rest.split_at(actions);
        let expectations = after.iter().take_while(|entry| !is_action(entry)).count();
        let (expected, after) = after.split_at(expectations);
        let place = format!(
            "{}:{} in pieces of {piece}",
            page.name,
            expected.first().or(batch.first()).map_or(block.line, |entry| entry.line)
        );
        driver.expect_questions(expected);
        for entry in batch {
            act(&mut driver, entry, piece, &place);
        }
        compare(&mut driver, expected, &place);
        rest = after;
    }
    driver
}

fn is_action(entry: &Entry) -> bool {
    entry.mark.starts_with('C') || (entry.mark == "*" && entry.text != "closed")
}

fn act(driver: &mut Driver, entry: &Entry, piece: usize, place: &str) {
    match (entry.mark.as_str(), entry.text.as_str()) {
        ("C:", _) => driver.send(&[&entry.octets()[..], b"\r\n"].concat(), piece),
        ("C>", _) => driver.send(&entry.octets(), piece),
        ("*", "TLS") => driver.tls(),
        ("*", "TLS failed") => driver.tls_failed(),
        ("*", "silence") => driver.silence(),
        ("*", "client closes") => driver.client_closes(),
        ("*", "shut down") => driver.shut_down(),
        _ => panic!("{place}: no such line: {entry:?}"),
    }
}

fn compare(driver: &mut Driver, expected: &[Entry], place: &str) {
    let replies = driver.take_replies();
    let wanted: Vec<_> = expected.iter().filter(|entry| entry.mark.starts_with('S')).collect();
    let same = replies_match(&replies, &wanted);
    let listed: Vec<_> = wanted.iter().map(|entry| &entry.text).collect();
    assert!(same, "{place}: the page has\n{listed:#?}\nand the machine said\n{replies:#?}");
    driver.check_questions(place);
    let content: Vec<_> = expected.iter().filter(|entry| entry.mark == "K:").collect();
    if !content.is_empty() {
        let wanted = content.iter().flat_map(|entry| [&entry.octets()[..], b"\r\n"].concat());
        let wanted: Vec<u8> = wanted.collect();
        let kept = driver.take_kept();
        let kept = kept.as_deref().unwrap_or_else(|| panic!("{place}: nothing was kept"));
        assert_eq!(kept.escape_ascii().to_string(), wanted.escape_ascii().to_string(), "{place}");
    }
    let events = driver.take_events();
    for entry in expected.iter().filter(|entry| entry.mark == "E:") {
        let found = events.iter().any(|event| event.starts_with(&entry.text));
        assert!(found, "{place}: no event {:?} in\n{events:#?}", entry.text);
    }
    let closed = expected.iter().any(|entry| entry.mark == "*");
    assert_eq!(driver.is_closed(), closed, "{place}: closed?");
    for entry in expected {
        let known = ["S:", "S~", "S*", "Q:", "A:", "K:", "E:", "*"].contains(&entry.mark.as_str());
        assert!(known, "{place}: no such line: {entry:?}");
    }
}

fn replies_match(replies: &[String], wanted: &[&Entry]) -> bool {
    let mut rest = replies.iter();
    for entry in wanted {
        let Some(line) = rest.next() else { return false };
        let fits = match entry.mark.as_str() {
            "S:" => line.as_bytes() == entry.octets(),
            "S~" => line.starts_with(&entry.text),
            "S*" => {
                let (code, text) = entry.text.split_at(4);
                let fits = line.starts_with(&code[..3]) && line[4..].starts_with(text);
                let mut last = line;
                while last.as_bytes().get(3) == Some(&b'-') {
                    let Some(next) = rest.next() else { return false };
                    last = next;
                }
                fits
            }
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    rest.next().is_none()
}
