//! Reading the file: text to [`Config`], with all that is wrong in it and where.
//!
//! The typed reader stops at the first error. So that a user sees them all at once, what it stumbled
//! over is taken out of the document, and it starts again on the rest.

use std::{fs, ops::Range, path::Path};

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue, Deserializer},
};

use super::{Config, ConfigErrors, Problem, Warning, check, users};

/// More errors than this help nobody.
const PROBLEMS_MAX: usize = 20;

/// The document, for the places of its values.
pub type Document<'t> = Spanned<DeTable<'t>>;

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<(Self, Vec<Warning>), ConfigErrors> {
        let fail = |text: String, problems| ConfigErrors { path: path.to_owned(), text, problems };
        let text = fs::read_to_string(path).map_err(|error| {
            let help = "name another file with `--config`, or start without one for the defaults";
            let problem = Problem::new(format!("cannot read the file: {error}")).help(help);
            fail(String::new(), vec![problem])
        })?;
        Self::parse(&text).map_err(|problems| fail(text, problems))
    }

    /// Reads and checks a text.
    pub fn parse(text: &str) -> Result<(Self, Vec<Warning>), Vec<Problem>> {
        let document = document(text)?;
        let config = typed(document.clone())?;
        let mut found = check::check(&config, &document);
        match found.errors.is_empty() {
            true => Ok((config, found.warnings)),
            false => {
                found.errors.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
                Err(found.errors)
            }
        }
    }
}

/// The text as a document, or its errors of syntax.
pub(super) fn document(text: &str) -> Result<Document<'_>, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    match errors.is_empty() {
        true => Ok(document),
        false => Err(errors.iter().take(PROBLEMS_MAX).map(explain).collect()),
    }
}

/// The document as typed values, with what is inherited filled in.
pub(super) fn typed(mut document: Document<'_>) -> Result<Config, Vec<Problem>> {
    inherit(document.get_mut());
    let mut problems: Vec<Problem> = Vec::new();
    loop {
        let error = match Config::deserialize(Deserializer::from(document.clone())) {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(_) => return Err(problems),
            Err(error) => error,
        };
        let problem = explain(&error);
        let removed = problem.span.clone().is_some_and(|span| remove(document.get_mut(), &span));
        // What is inherited stands in the file once.
        if !problems.contains(&problem) {
            problems.push(problem);
        }
        if !removed || problems.len() >= PROBLEMS_MAX {
            return Err(problems);
        }
    }
}

/// Copies what a listener's `limits` and a route's `retry` leave out from `[limits]` and `[retry]`: so
/// one type, complete, serves both places.
fn inherit(document: &mut DeTable<'_>) {
    let limits = document.get("limits").cloned();
    let retry = document.get("retry").cloned();
    if let (Some(limits), Some(listeners)) = (limits, document.get_mut("listener"))
        && let DeValue::Array(listeners) = listeners.get_mut()
    {
        listeners.iter_mut().for_each(|listener| fill(listener.get_mut(), "limits", &limits));
    }
    let Some(retry) = retry else { return };
    if let Some(DeValue::Table(routes)) = document.get_mut("routes").map(Spanned::get_mut) {
        routes.iter_mut().for_each(|(_, route)| fill(route.get_mut(), "retry", &retry));
    }
    if let Some(route) = document.get_mut("default_route") {
        fill(route.get_mut(), "retry", &retry);
    }
}

fn fill<'t>(owner: &mut DeValue<'t>, key: &str, from: &Spanned<DeValue<'t>>) {
    let DeValue::Table(owner) = owner else { return };
    let own = owner.get_mut(key).map(Spanned::get_mut);
    if let (Some(DeValue::Table(own)), DeValue::Table(from)) = (own, from.get_ref()) {
        for (key, value) in from {
            if !own.contains_key(key) {
                own.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Takes the innermost entry out that the place belongs to. False: there is none.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let covers = |place: &Range<usize>| place.start <= span.start && span.end <= place.end;
    for (key, value) in table.iter_mut() {
        if covers(&key.span()) {
            break;
        }
        let inner = match value.get_mut() {
            DeValue::Table(inner) => remove(inner, span),
            DeValue::Array(items) => items.iter_mut().any(|item| match item.get_mut() {
                DeValue::Table(inner) => remove(inner, span),
                _ => false,
            }),
            _ => false,
        };
        if inner {
            return true;
        }
    }
    let hit = table.iter().find(|(key, value)| covers(&key.span()) || covers(&value.span()));
    let hit: Option<Spanned<DeString<'_>>> = hit.map(|(key, _)| key.clone());
    hit.is_some_and(|key| table.remove(&key).is_some())
}

/// The reader's error in our words.
fn explain(error: &toml::de::Error) -> Problem {
    let message = error.message().lines().collect::<Vec<_>>().join("; ");
    let problem = match message.strip_prefix("unknown field ") {
        Some(rest) => unknown_key(rest),
        None => match message.strip_prefix("unknown variant ") {
            Some(rest) => unknown_value(rest),
            None => Problem::new(message),
        },
    };
    problem.at(error.span())
}

/// `` `sise_max`, expected one of `size_max`, `...` ``
fn unknown_key(rest: &str) -> Problem {
    let (given, known) = names(rest);
    let problem = Problem::new(format!("there is no key `{given}` here"));
    match nearest(given, &known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the keys here are {}", listed(&known))),
    }
}

fn unknown_value(rest: &str) -> Problem {
    let (given, known) = names(rest);
    let problem = Problem::new(format!("`{given}` is none of the values that are possible here"));
    problem.help(format!("use one of {}", listed(&known)))
}

fn names(rest: &str) -> (&str, Vec<&str>) {
    // The names are what stands between backticks.
    let mut names = rest.split('`').skip(1).step_by(2);
    (names.next().unwrap_or_default(), names.collect())
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name with the fewest changes, if they are few.
pub(super) fn nearest<'n>(given: &str, known: &[&'n str]) -> Option<&'n str> {
    let by_distance = known.iter().map(|name| (distance(given, name), *name));
    by_distance.min().filter(|(changes, name)| *changes <= 1 + name.len() / 4).map(|(_, name)| name)
}

/// Levenshtein's distance; `-` and `_` are the same.
fn distance(a: &str, b: &str) -> usize {
    let normal = |text: &str| text.to_lowercase().replace('-', "_").chars().collect::<Vec<_>>();
    let (a, b) = (normal(a), normal(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The place of a value by its path of keys (numbers for entries of a list): of the value, or as far
/// as the path leads.
pub(super) fn place(document: &Document<'_>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let mut value = document.get_ref().get(*first)?;
    for key in rest {
        let next = match value.get_ref() {
            DeValue::Table(table) => table.get(*key),
            DeValue::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => break,
        }
    }
    Some(value.span())
}

/// The users of the file that `mailwright user` writes; none if there is no such file.
pub fn load_users(
    config: &Config,
) -> Result<std::collections::BTreeMap<String, users::User>, ConfigErrors> {
    let path = config.users_file();
    let fail = |text, problems| ConfigErrors { path: path.clone(), text, problems };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => {
            let problem = Problem::new(format!("cannot read the users file: {error}"));
            return Err(fail(String::new(), vec![problem]));
        }
    };
    toml::from_str(&text).map_err(|error| {
        let problem = explain(&error);
        fail(text, vec![problem])
    })
}
