//! `config show`: the values in effect as TOML, with which of them are defaults, and no secrets.

use toml::{Table, Value};

use super::Config;

/// The values in effect. `text` is the file they come from; what is not in it is marked.
pub fn show(config: &Config, text: &str) -> String {
    let mut effective = config.clone();
    effective.listener = config.listeners();
    effective.domains = config.domains();
    effective.relay.networks = Some(config.relay_networks());
    // Both are of types that serialize, and the text was parsed before; an empty page would say so.
    let values = Table::try_from(&effective).unwrap_or_default();
    let given = text.parse::<Table>().unwrap_or_default();
    let mut page = String::new();
    table(&mut page, "", &values, Some(&given));
    page
}

/// Single values first: what follows a table's head belongs to it.
fn table(page: &mut String, path: &str, values: &Table, given: Option<&Table>) {
    for (key, value) in values.iter().filter(|(_, value)| !is_section(value)) {
        let default = given.is_none_or(|given| !given.contains_key(key));
        let value = match SECRETS.contains(&key.as_str()) {
            true => Value::from("****"),
            false => value.clone(),
        };
        let mark = if default { "  # default" } else { "" };
        page.push_str(&format!("{} = {value}{mark}\n", quoted(key)));
    }
    let empty = |value: &Value| value.as_table().is_some_and(Table::is_empty);
    for (key, value) in values.iter().filter(|(_, value)| is_section(value) && !empty(value)) {
        let path = match path {
            "" => quoted(key),
            path => format!("{path}.{}", quoted(key)),
        };
        let inner = given.and_then(|given| given.get(key));
        match value {
            Value::Table(values) => {
                // The head of a table that holds only tables says nothing.
                if values.values().any(|value| !is_section(value)) {
                    page.push_str(&format!("\n[{path}]\n"));
                }
                // A user in short form is shown as the table it stands for.
                table(page, &path, values, inner.and_then(Value::as_table));
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    page.push_str(&format!("\n[[{path}]]\n"));
                    let inner = inner.and_then(Value::as_array).and_then(|given| given.get(index));
                    let item = item.as_table().cloned().unwrap_or_default();
                    table(page, &path, &item, inner.and_then(Value::as_table));
                }
            }
            _ => (),
        }
    }
}

const SECRETS: &[&str] = &["password", "scram", "secret"];

fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(items) => items.first().is_some_and(Value::is_table),
        _ => false,
    }
}

fn quoted(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !key.is_empty() && key.chars().all(bare) {
        true => key.to_owned(),
        false => Value::from(key).to_string(),
    }
}
