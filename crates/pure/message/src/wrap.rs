//! Breaking of lines: folded header fields (RFC 5322 section 2.2.3) and plain paragraphs.

/// Lines are kept within this (RFC 5322 section 2.1.1 asks for 78), where there is a blank to break at.
const FIELD_WIDTH: usize = 76;
/// A word longer than this is broken all the same; 998 octets is the limit of a line.
const WORD_LENGTH_MAX: usize = 900;

/// Appends `name: value` CRLF, folded at blanks. Control characters become blanks, so that no value
/// can begin a field of its own; what is not ASCII stays.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let mut column = name.len() + 1;
    for word in value.split(|c: char| c == ' ' || c.is_control()).filter(|word| !word.is_empty()) {
        for (index, piece) in pieces(word, WORD_LENGTH_MAX).enumerate() {
            let is_first = column == name.len() + 1;
            if index > 0 || (!is_first && column + 1 + piece.len() > FIELD_WIDTH) {
                out.extend_from_slice(b"\r\n");
                column = 0;
            }
            out.push(b' ');
            out.extend_from_slice(piece.as_bytes());
            column += 1 + piece.len();
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends `text` with its words filled into lines of `width` columns, each behind `indent` and
/// ended by `\n`. Longer words get a line of their own, unbroken.
pub fn paragraph(out: &mut String, text: &str, indent: &str, width: usize) {
    let mut column = 0;
    for word in
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty())
    {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column == 0 {
            out.push_str(indent);
            column = indent.chars().count();
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    if column > 0 {
        out.push('\n');
    }
}

/// `word` in pieces of up to `length_max` octets, broken between characters.
fn pieces(word: &str, length_max: usize) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let mut end = rest.len().min(length_max);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, tail) = rest.split_at(end);
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(value: &str) -> String {
        let mut out = Vec::new();
        write_field(&mut out, "Name", value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields() {
        assert_eq!(folded("a b"), "Name: a b\r\n");
        assert_eq!(folded(""), "Name:\r\n");
        assert_eq!(folded("a\r\nBcc: b"), "Name: a Bcc: b\r\n");
        let long = folded(&"word ".repeat(60));
        assert!(long.split("\r\n").all(|line| line.len() <= FIELD_WIDTH), "{long}");
        assert_eq!(long.matches("word").count(), 60);
        assert!(long.split("\r\n").skip(1).all(|line| line.is_empty() || line.starts_with(' ')));
        let endless = folded(&"é".repeat(2_000));
        assert!(endless.split("\r\n").all(|line| line.len() < 998));
    }

    #[test]
    fn paragraphs() {
        let mut out = String::new();
        paragraph(&mut out, "one two\nthree four", "  ", 11);
        assert_eq!(out, "  one two\n  three\n  four\n");
        out.clear();
        paragraph(&mut out, " \n", "  ", 11);
        assert_eq!(out, "");
    }
}
