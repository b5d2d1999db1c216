//! docs/extensions.md is made of the table that the code is made of. `GOLDEN=write cargo test -p
//! mailwright-smtp --test extensions` writes it anew; without, it is compared.
#![allow(clippy::disallowed_methods, reason = "a test reads and writes its page")]

use std::{collections::BTreeSet, fmt::Write, fs, path::PathBuf};

use sasl::Mechanism;
use smtp::{
    client::Features,
    extension::{Offered, TABLE},
};

const HEAD: &str = "\
# Extensions

Every keyword of EHLO that Mailwright knows, in the order of its own EHLO reply. This page is made from the code
(`GOLDEN=write cargo test -p mailwright-smtp --test extensions`).

- **Offered** says whether a listener shows it where nothing is configured. `advertise` and `hide` of a `[[listener]]`
  switch each of them on and off; a `mailwright reload` is enough.
- **Also** names what else it depends on: settings (docs/mailwright.example.toml), or other keywords.
- **As a client** says what is done where a next hop offers it. `avoid` of a route leaves it unused; those marked
  with * are used only where the route's `use` names them.
- `mailwright config show --client ADDRESS` and `--site DOMAIN` tell what a client would see, and what would be used there.

EHLO itself can be avoided, too: the session then begins with HELO and uses none of these.

| keyword | specified | offered | also | as a server | as a client |
|---|---|---|---|---|---|
";

const MECHANISMS: &str = "
## The mechanisms of AUTH

In the order in which they are offered, and tried: what proves most comes first. **Default** says whether a listener
offers it, and a route uses it, where nothing is configured; a listener only, if its users' store has what it **needs**.
**In clear** says what whoever reads a connection without TLS has then.

| mechanism | specified | default | needs | in clear |
|---|---|---|---|---|
";

fn mechanisms(page: &mut String) {
    page.push_str(MECHANISMS);
    for row in Mechanism::TABLE {
        let default = if row.by_default { "yes" } else { "no" };
        let in_clear = match (row.inside_tls, row.reveals) {
            (true, _) => "never offered",
            (_, true) => "the password or the token",
            (_, false) => "what it can guess the password by",
        };
        let in_clear = if row.mechanism == Mechanism::Gssapi { "nothing" } else { in_clear };
        let (name, specified, needs) = (row.name, row.specified, row.needs);
        writeln!(page, "| `{name}` | {specified} | {default} | {needs} | {in_clear} |")
            .expect("a String takes it");
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for row in TABLE {
        let star = if Features::OPT_IN.has(row.feature) { " *" } else { "" };
        let (offered, switch) = (row.offered.text(), row.switch);
        let (feature, specified) = (row.feature, row.specified);
        writeln!(
            page,
            "| `{feature}`{star} | {specified} | {offered} | {switch} | {} | {} |",
            row.server, row.client
        )
        .expect("a String takes it");
    }
    mechanisms(&mut page);
    page
}

#[test]
fn the_page_is_that_of_the_code() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../docs/extensions.md");
    if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
        fs::write(&path, page()).expect("docs/extensions.md can be written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == page(), "docs/extensions.md is out of date: GOLDEN=write makes it anew");
}

#[test]
fn every_feature_has_a_row_and_its_words() {
    let mut seen = BTreeSet::new();
    for row in TABLE {
        assert_eq!(row.feature.count(), 1, "{}", row.feature);
        assert!(seen.insert(row.feature.to_string()), "{} twice", row.feature);
        for text in [row.specified, row.server, row.client] {
            assert!(!text.is_empty() && !text.contains('|'), "{}: {text:?}", row.feature);
        }
        let of_setting = matches!(row.offered, Offered::IfConfigured);
        assert!(!of_setting || row.switch.contains('`'), "{}: by which setting?", row.feature);
    }
    let missing: Vec<_> = Features::all()
        .without(Features::EHLO)
        .names()
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(missing.is_empty(), "no row: {missing:?}");
}

/// Each keyword is played in a dialogue.
#[test]
fn every_keyword_is_in_a_golden_page() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden");
    let mut pages = String::new();
    for entry in fs::read_dir(folder).expect("tests/golden is there") {
        let path = entry.expect("tests/golden can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("server-") {
            pages.push_str(&fs::read_to_string(&path).expect("a page is text"));
        }
    }
    for row in TABLE {
        let keyword = match row.feature {
            // It lists mechanisms, not itself.
            Features::AUTH_EQUALS => "AUTH=PLAIN LOGIN".to_owned(),
            feature => feature.to_string(),
        };
        assert!(pages.contains(&keyword), "no server-*.md has {keyword}");
    }
}
