//! The addresses in a From field (RFC 5322 section 3.6.2), for the question whether they are the user's.
//!
//! What can't be taken for an address comes back as it stands: it is nobody's, so whoever compares it
//! with what is allowed refuses it.

/// The addresses of a list of mailboxes, unfolded or not. Display names, comments and the names of groups
/// are left out.
pub fn addresses(value: &str) -> Vec<String> {
    let (mut found, mut bare, mut angle) = (Vec::new(), String::new(), None::<String>);
    let mut end = |bare: &mut String, angle: &mut Option<String>| {
        let text = angle.take().unwrap_or_else(|| std::mem::take(bare));
        bare.clear();
        let text = text.trim();
        if !text.is_empty() {
            found.push(text.to_owned());
        }
    };
    let mut rest = value.chars();
    let mut in_angle = false;
    while let Some(c) = rest.next() {
        match c {
            '(' if !in_angle => comment(&mut rest),
            '"' => {
                let into = if in_angle { angle.get_or_insert_default() } else { &mut bare };
                quoted(&mut rest, into);
            }
            '<' if !in_angle => {
                // A second one in the same mailbox belongs to no address that anybody would read.
                in_angle = true;
                angle.get_or_insert_default();
            }
            '>' if in_angle => in_angle = false,
            ',' | ';' if !in_angle => end(&mut bare, &mut angle),
            ':' if !in_angle => bare.clear(),
            c => match (in_angle, &mut angle) {
                (true, Some(angle)) => angle.push(c),
                _ => bare.push(c),
            },
        }
    }
    end(&mut bare, &mut angle);
    found
}

/// Comments nest (RFC 5322 section 3.2.2).
fn comment(rest: &mut std::str::Chars<'_>) {
    let mut depth = 1;
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// As it stands, with its quotes.
fn quoted(rest: &mut std::str::Chars<'_>, into: &mut String) {
    into.push('"');
    while let Some(c) = rest.next() {
        into.push(c);
        match c {
            '\\' => into.extend(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_address_it_is() {
        for (value, expected) in [
            ("anna@a.test", &["anna@a.test"][..]),
            (" Anna <anna@a.test>", &["anna@a.test"]),
            ("\"bob@b.test\" <anna@a.test>", &["anna@a.test"]),
            ("bob@b.test <anna@a.test>", &["anna@a.test"]),
            ("Anna (<bob@b.test> \\) (x)) <anna@a.test> (y)", &["anna@a.test"]),
            ("Anna <anna@a.test>,\r\n Bob <bob@b.test>", &["anna@a.test", "bob@b.test"]),
            ("\"A, B\" <anna@a.test>", &["anna@a.test"]),
            ("team: anna@a.test, <bob@b.test>;", &["anna@a.test", "bob@b.test"]),
            ("<\"a,b\"@a.test>", &["\"a,b\"@a.test"]),
            ("<anna@a.test><bob@b.test>", &["anna@a.testbob@b.test"]), // nobody's
            ("Anna", &["Anna"]),
            ("<anna@a.test", &["anna@a.test"]),
            ("", &[]),
            ("undisclosed: ;", &[]),
        ] {
            assert_eq!(addresses(value), expected, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_to_an_end(value in "[ab@.<>\"(),:;\\\\ ]{0,60}") {
            let _ = addresses(&value);
        }
    }
}
