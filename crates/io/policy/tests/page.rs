//! docs/door.md shows the table of checks as it is in the code. `GOLDEN=write` writes it anew.

use policy::{CHECKS, Stage};

fn rows() -> String {
    let stage = |stage| match stage {
        Stage::Connect => "connect",
        Stage::Auth => "AUTH",
        Stage::Mail => "MAIL",
        Stage::Rcpt => "RCPT",
    };
    let row = |check: &policy::Check| {
        format!(
            "| `{}` | {} | {} | `{}` |\n",
            check.rule,
            stage(check.stage),
            check.about,
            check.setting
        )
    };
    CHECKS.iter().map(row).collect()
}

#[test]
fn the_page_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/door.md");
    let page = std::fs::read_to_string(path).unwrap();
    let head = "|------|----|------|---------|\n";
    let start = page.find(head).expect("a table") + head.len();
    let end = start + page[start..].find("\n\n").expect("its end") + 1;
    if std::env::var_os("GOLDEN").is_some_and(|value| value == "write") {
        let page = format!("{}{}{}", &page[..start], rows(), &page[end..]);
        std::fs::write(path, page).unwrap();
    } else {
        assert_eq!(&page[start..end], rows(), "run it with GOLDEN=write");
    }
}

#[test]
fn rules_have_one_name_each() {
    let mut names: Vec<&str> = CHECKS.iter().map(|check| check.rule).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CHECKS.len());
}
