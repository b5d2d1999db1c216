//! Answers of lists, and what is no listing.

use tokio::time::Instant;
use world::dns::table::TableDns;

use super::*;

const ZONE: &str = r#"
    2.0.0.127.zen.spamhaus.org   A 127.0.0.2
    41.2.0.192.zen.spamhaus.org  A 127.0.0.2
    41.2.0.192.zen.spamhaus.org  A 127.0.0.10
    41.2.0.192.zen.spamhaus.org  TXT "https://example.org/sbl/1"
    42.2.0.192.zen.spamhaus.org  A 127.255.255.254
    43.2.0.192.zen.spamhaus.org  A 192.0.2.99
    44.2.0.192.zen.spamhaus.org  SERVFAIL
    41.2.0.192.slow.example      TIMEOUT 60
    41.2.0.192.other.example     A 127.0.0.3
    41.2.0.192.list.dnswl.org    A 127.0.5.3
    1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org A 127.0.0.4
"#;

fn lists(zones: &[&str]) -> Vec<List> {
    zones.iter().map(|zone| List::new(*zone)).collect()
}

async fn one(address: &str, zone: &str) -> Found {
    let dns = TableDns::parse(ZONE).unwrap();
    look_up(&dns, address.parse().unwrap(), &lists(&[zone])).await.remove(0).found
}

#[tokio::test]
async fn only_a_listing_is_a_listing() {
    let zen = "zen.spamhaus.org";
    assert!(matches!(one("192.0.2.41", zen).await, Found::Listed { weight: 10, .. }));
    assert!(matches!(one("::ffff:192.0.2.41", zen).await, Found::Listed { .. }));
    assert!(matches!(one("2001:db8::1", zen).await, Found::Listed { .. }));
    assert_eq!(one("192.0.2.40", zen).await, Found::NotListed);
    assert!(matches!(one("192.0.2.42", zen).await, Found::Refused { .. }));
    assert!(matches!(one("192.0.2.43", zen).await, Found::Foreign { .. }));
    assert!(matches!(one("192.0.2.44", zen).await, Found::Unanswered { .. }));
    assert!(matches!(one("192.0.2.41", "list.dnswl.org").await, Found::Listed { weight: -20, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_holds_nobody_up_for_longer_than_the_patience() {
    let dns = TableDns::parse(ZONE).unwrap();
    let all = lists(&["slow.example", "zen.spamhaus.org", "other.example", "slow.example"]);
    let start = Instant::now();
    let found = look_up(&dns, "192.0.2.41".parse().unwrap(), &all).await;
    assert_eq!(start.elapsed(), PATIENCE, "two slow ones take as long as one");
    assert!(matches!(found[0].found, Found::Unanswered { .. }));
    assert!(matches!(found[1].found, Found::Listed { .. }));
    assert!(matches!(found[2].found, Found::Listed { .. }));
}

#[tokio::test]
async fn weights_of_single_answers() {
    let dns = TableDns::parse(ZONE).unwrap();
    let ask = async |answers: &[(&str, i32)]| {
        let answers = answers.iter().map(|(text, weight)| (text.parse().unwrap(), *weight));
        let list = List { answers: answers.collect(), ..List::new("zen.spamhaus.org") };
        look_up(&dns, "192.0.2.41".parse().unwrap(), &[list]).await[0].weight()
    };
    assert_eq!(ask(&[]).await, 10);
    assert_eq!(ask(&[("127.0.0.2", 3), ("127.0.0.10-11", 1)]).await, 3);
    assert_eq!(ask(&[("127.0.0.2", 3)]).await, 10, "the other answer has the list's weight");
}

#[tokio::test]
async fn the_reason_is_the_lists_own_word_or_its_page() {
    let dns = TableDns::parse(ZONE).unwrap();
    let why = async |address: &str| {
        let listing = look_up(&dns, address.parse().unwrap(), &lists(&["zen.spamhaus.org"])).await;
        reason(&dns, &listing[0], PATIENCE).await.unwrap()
    };
    assert_eq!(why("192.0.2.41").await, "https://example.org/sbl/1");
    assert_eq!(why("127.0.0.2").await, "https://check.spamhaus.org/results/?query=127.0.0.2");
}

#[test]
fn which_list_is_asked_about_what() {
    assert!(List::new("zen.spamhaus.org").is_about(About::Client));
    assert!(!List::new("zen.spamhaus.org").is_about(About::Sender));
    assert!(List::new("dbl.spamhaus.org").is_about(About::Sender));
    assert!(!List::new("dbl.spamhaus.org").is_about(About::Client));
    assert_eq!(domain_name("A.test.", "dbl.example"), Some("a.test.dbl.example".into()));
    for none in ["localhost", "[192.0.2.1]", "192.0.2.1", ""] {
        assert_eq!(domain_name(none, "dbl.example"), None, "{none}");
    }
    assert!(List::known().len() > 10);
    assert!(List::known().iter().all(|list| list.is_about(About::Client)));
}
