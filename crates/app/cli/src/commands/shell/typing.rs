//! Where lines come from: the prompt of a terminal, or a script in a pipe. A thread of its own waits for
//! them, so that what the server says meanwhile can be shown.

use std::{
    io::{self, BufRead, Read, Write},
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use diagnose::sequence::State;
use rustyline::{
    Config, Context, Editor, ExternalPrinter, Helper,
    completion::{Completer, FilenameCompleter},
    config::CompletionType,
    error::ReadlineError,
    highlight::Highlighter,
    hint::Hinter,
    history::MemHistory,
    validate::Validator,
};
use tokio::sync::mpsc as async_mpsc;

use super::{
    complete,
    history::{self, History},
    progress::Progress,
    record::Screen,
};

/// A longer line of a script comes in pieces.
const LINE_MAX: u64 = 16 * 1024 * 1024;

/// What is wanted.
enum Ask {
    /// A line at this prompt; what completion may know.
    Line(String, Box<Progress>),
    /// A password, without echo.
    Secret(String),
}

/// What was given.
pub enum Given {
    /// A line without its ending.
    Line(Vec<u8>),
    /// There is no more.
    End,
    /// It can't be read.
    Trouble(String),
}

/// The one who types.
pub struct Typist {
    ask: mpsc::Sender<Ask>,
    given: async_mpsc::UnboundedReceiver<Given>,
    /// Whether somebody sits there.
    pub is_person: bool,
    is_asked: bool,
}

impl Typist {
    /// A script.
    pub fn script(mut input: Box<dyn BufRead + Send>) -> Self {
        let (ask, asked) = mpsc::channel();
        let (give, given) = async_mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for _ in asked {
                let next = next_line(&mut *input);
                let is_over = !matches!(next, Given::Line(_));
                if give.send(next).is_err() || is_over {
                    return;
                }
            }
        });
        Self { ask, given, is_person: false, is_asked: false }
    }

    /// A terminal, and a screen that leaves the line being typed alone.
    ///
    /// # Errors
    /// What is wrong with the terminal.
    pub fn terminal() -> Result<(Self, Screen), ReadlineError> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(history::LINES_MAX)?
            .history_ignore_dups(true)?
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor: Editor<Typing, MemHistory> = Editor::with_history(config, history)?;
        let mut kept = remembered(&mut editor)?;
        let printer = Arc::new(Mutex::new(editor.create_external_printer()?));
        let (ask, asked) = mpsc::channel();
        let (give, given) = async_mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for wanted in asked {
                if give.send(typed(&mut editor, &mut kept, wanted)).is_err() {
                    return;
                }
            }
        });
        let screen = move |text: &[u8]| {
            let text = String::from_utf8_lossy(text).into_owned();
            let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
            printer.print(text).map_err(io::Error::other)
        };
        Ok((Self { ask, given, is_person: true, is_asked: false }, Box::new(screen)))
    }

    /// The next line. Cancel safe: a line asked for once is given to the next call.
    pub async fn line(&mut self, prompt: &str, progress: &Progress) -> Given {
        if !self.is_asked {
            let ask = Ask::Line(format!("{prompt}> "), Box::new(progress.clone()));
            self.is_asked = self.ask.send(ask).is_ok();
        }
        self.answer().await
    }

    /// A password.
    pub async fn secret(&mut self, prompt: &str) -> Given {
        self.is_asked = self.ask.send(Ask::Secret(prompt.to_owned())).is_ok();
        self.answer().await
    }

    /// Whether somebody is typing at the prompt of a terminal.
    pub fn is_at_prompt(&self) -> bool {
        self.is_person && self.is_asked
    }

    /// Waits for the line that is being typed, so that the terminal is left as it was found.
    pub async fn settle(&mut self) {
        if self.is_at_prompt() {
            // The session is over; the line has nowhere to go.
            self.answer().await;
        }
    }

    async fn answer(&mut self) -> Given {
        // The thread is gone once it gave its last word.
        let given = self.given.recv().await.unwrap_or(Given::End);
        self.is_asked = false;
        given
    }
}

/// The screen of a session without a terminal.
pub fn pipe(mut output: Box<dyn Write + Send>) -> Screen {
    Box::new(move |text| output.write_all(text).and_then(|()| output.flush()))
}

fn next_line(input: &mut (dyn BufRead + Send)) -> Given {
    let mut line = Vec::new();
    match input.take(LINE_MAX).read_until(b'\n', &mut line) {
        Ok(0) => Given::End,
        Ok(_) => {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Given::Line(line)
        }
        Err(error) => Given::Trouble(format!("cannot read the script: {error}")),
    }
}

/// Earlier shells' lines, ready for the arrow keys. Without a place for them the shell does as well without.
fn remembered(editor: &mut Editor<Typing, MemHistory>) -> Result<Option<History>, ReadlineError> {
    let Some(path) = history::place() else { return Ok(None) };
    match History::open(&path) {
        Ok(history) => {
            for line in history.lines() {
                editor.add_history_entry(line.as_str())?;
            }
            Ok(Some(history))
        }
        Err(error) => {
            eprintln!("what is typed is not remembered: `{}`: {error}", path.display());
            Ok(None)
        }
    }
}

fn typed(
    editor: &mut Editor<Typing, MemHistory>,
    kept: &mut Option<History>,
    wanted: Ask,
) -> Given {
    let (prompt, progress) = match wanted {
        Ask::Secret(prompt) => {
            return match rpassword::prompt_password(prompt) {
                Ok(secret) => Given::Line(secret.into_bytes()),
                Err(error) => Given::Trouble(format!("cannot read the password: {error}")),
            };
        }
        Ask::Line(prompt, progress) => (prompt, progress),
    };
    let keeps_secret = progress.state == State::Sasl;
    // Content is somebody's letter; it stays in this shell.
    let is_content = progress.state == State::Content;
    editor.set_helper(Some(Typing { progress: *progress }));
    loop {
        match editor.readline(&prompt) {
            Ok(line) => {
                let is_secret =
                    keeps_secret || super::record::struck(line.as_bytes()) != line.as_bytes();
                if !is_secret && !line.is_empty() {
                    // A line that is already there is not added once more, and that is all right.
                    let is_new = editor.add_history_entry(line.as_str()).unwrap_or(false);
                    let added = match kept {
                        Some(kept) if is_new && !is_content => kept.add(&line),
                        _ => Ok(()),
                    };
                    if let Err(error) = added {
                        eprintln!("what is typed is not remembered any more: {error}");
                        *kept = None;
                    }
                }
                return Given::Line(line.into_bytes());
            }
            // Ctrl-C throws the line away, as in every shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Given::End,
            Err(error) => return Given::Trouble(format!("cannot read the terminal: {error}")),
        }
    }
}

/// What helps while a line is typed.
struct Typing {
    progress: Progress,
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let line = &line[..position];
        if [":data ", ":bdat ", ":transcript "].iter().any(|order| line.starts_with(order)) {
            let (start, files) = FilenameCompleter::new().complete_path(line, position)?;
            // Blanks come escaped, and an order takes its argument as it stands.
            let plain = files.into_iter().map(|file| file.replacement);
            return Ok((start, plain.filter(|file| !file.contains('\\')).collect()));
        }
        Ok(complete::candidates(line, &self.progress))
    }
}

impl Hinter for Typing {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        (position == line.len()).then(|| complete::hint(line, &self.progress)).flatten()
    }
}

impl Highlighter for Typing {
    fn highlight_hint<'h>(&self, hint: &'h str) -> std::borrow::Cow<'h, str> {
        if !crate::output::colour() {
            return hint.into();
        }
        format!("\x1b[2m{hint}\x1b[0m").into()
    }
}

impl Validator for Typing {}
impl Helper for Typing {}
