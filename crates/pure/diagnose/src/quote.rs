//! Quoting what others said: short, and harmless to a terminal.

/// Longer quotes are cut; the line itself is at hand in the evidence.
const QUOTE_LENGTH_MAX: usize = 160;

/// The text of foreign octets with control characters struck out, cut where it gets long.
pub(crate) fn quote(octets: &[u8]) -> String {
    let cut = &octets[..octets.len().min(QUOTE_LENGTH_MAX * 4)];
    clean(&String::from_utf8_lossy(cut))
}

/// The same of a text.
pub(crate) fn clean(text: &str) -> String {
    let is_shown = |c: &char| !c.is_control() && !is_direction(*c);
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == QUOTE_LENGTH_MAX {
            out.push_str("...");
            break;
        }
        match c {
            '\n' | '\t' | '\r' => out.push(' '),
            c if is_shown(&c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

/// Characters that turn the direction of text, with which a line can be made to look like another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_and_short() {
        assert_eq!(quote(b"a\x1b[31mb\tc\xff"), "a\u{fffd}[31mb c\u{fffd}");
        assert_eq!(clean("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(quote(&[b'x'; 5_000]).len(), QUOTE_LENGTH_MAX + 3);
    }
}
