//! Lines of text of a given width.

use super::Look;

/// A text under construction.
pub(super) struct Page<'l> {
    out: String,
    pub(super) look: &'l Look,
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const DIM: &str = "\x1b[2m";
const OFF: &str = "\x1b[0m";

impl<'l> Page<'l> {
    pub(super) fn new(look: &'l Look) -> Self {
        Self { out: String::new(), look }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn blank(&mut self) {
        self.out.push('\n');
    }

    fn painted(&mut self, colour: &str, text: &str) {
        if self.look.colour {
            self.out.extend([colour, text, OFF, "\n"]);
        } else {
            self.out.extend([text, "\n"]);
        }
    }

    /// The sentence that matters, wrapped.
    pub(super) fn strong(&mut self, text: &str) {
        for line in wrapped(text, self.look.width) {
            self.painted(BOLD, &line);
        }
    }

    /// A section's name.
    pub(super) fn heading(&mut self, text: &str) {
        self.painted(BOLD, &text.to_uppercase());
    }

    /// Prose.
    pub(super) fn text(&mut self, indent: usize, text: &str) {
        let blanks = " ".repeat(indent);
        self.hanging(&blanks, &blanks, text);
    }

    /// A name, and what is to be said of it in a column behind.
    pub(super) fn item(&mut self, name: &str, text: &str) {
        self.hanging(&format!("  {name:<12}"), &" ".repeat(14), text);
    }

    fn hanging(&mut self, first: &str, rest: &str, text: &str) {
        let width = self.look.width.saturating_sub(rest.len()).max(20);
        for (index, line) in wrapped(text, width).into_iter().enumerate() {
            let indent = if index == 0 { first } else { rest };
            self.out.extend([format!("{indent}{line}").trim_end(), "\n"]);
        }
    }

    /// A line as it is, not wrapped: a quotation.
    pub(super) fn quote(&mut self, text: &str, decisive: bool, left_out: bool) {
        match (decisive, left_out) {
            (true, _) => self.painted(RED, text),
            (_, true) => self.painted(DIM, text),
            _ => self.out.extend([text, "\n"]),
        }
    }

    /// Columns as wide as they need; the last one is cut at the right edge.
    pub(super) fn table<const N: usize>(&mut self, names: &[&str; N], rows: &[[String; N]]) {
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([names[column].len()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..N).map(width).collect();
        let heads = names.map(str::to_owned);
        for row in std::iter::once(&heads).chain(rows) {
            let mut line = String::from("  ");
            for (cell, width) in row.iter().zip(&widths).take(N - 1) {
                line += &format!("{cell:<width$}  ");
            }
            let room = self.look.width.saturating_sub(line.chars().count()).max(24);
            line += &cut(&row[N - 1], room);
            self.out.extend([line.trim_end(), "\n"]);
        }
    }
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 3).chain("...".chars()).collect()
}

/// Breaks at blanks; a word that is too long gets a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let more = word.chars().count();
        if length > 0 && length + 1 + more > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
        }
        length += more;
    }
    lines
}
