//! The facts of the official SDKs, `crates/wire/contract.json`, and whether an answer agrees with them.

use std::sync::LazyLock;

use serde_json::Value;

use super::http::Said;

/// The contract.
pub static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../wire/contract.json")).expect("the contract is JSON"));

/// Checks an answer against what the contract says of an endpoint; `path` comes after the app's, or the account's.
#[track_caller]
pub fn agrees(method: &str, path: &str, said: &Said) -> Value {
    let endpoint = endpoint(method, path);
    let success = &endpoint["success"];
    let body = said.expect(u16::try_from(success["status"].as_u64().expect("a status")).expect("a status"));
    assert_eq!(said.header("content-type"), Some("application/json"));
    assert_eq!(body["success"], true);
    if let Err(why) = check(&success["schema"], &body, "") {
        panic!("{method} {path}: {why}\n{body:#}");
    }
    body
}

#[track_caller]
fn endpoint(method: &str, path: &str) -> &'static Value {
    let endpoints = CONTRACT["endpoints"].as_array().expect("a list");
    let found = endpoints.iter().find(|endpoint| {
        let known = endpoint["path"].as_str().expect("a path");
        endpoint["method"] == method && tail(known) == path
    });
    found.unwrap_or_else(|| panic!("the contract has no {method} {path}"))
}

/// The part of a path that our route table has.
pub fn tail(path: &str) -> &str {
    path.strip_prefix("/accounts/{account_id}/realtime/kit/{app_id}")
        .or_else(|| path.strip_prefix("/accounts/{account_id}/realtime/kit"))
        .unwrap_or(path)
}

/// Follows a reference.
pub fn resolve(schema: &Value) -> &Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/definitions/")) {
        Some(name) => resolve(&CONTRACT["definitions"][name]),
        None => schema,
    }
}

/// Whether a value is of a schema; an error names the first place where it is not.
pub fn check(reference: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(reference);
    if value.is_null() && (schema["nullable"] == true || reference["nullable"] == true) {
        return Ok(());
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("number") => value.is_number(),
        _ => true,
    };
    if !fits {
        return Err(format!("{at} should be {}, is {value}", schema["type"]));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        return Err(format!("{at} should be one of {known:?}, is {value}"));
    }
    if let Some(text) = value.as_str() {
        let well_formed = match schema["format"].as_str() {
            Some("uuid") => text.len() == 36 && text == text.to_lowercase(),
            Some("date-time") => text.len() == 24 && text.ends_with('Z'),
            _ => true,
        };
        if !well_formed {
            return Err(format!("{at} should be a {}, is {text}", schema["format"]));
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if value.get(name).is_none() {
            return Err(format!("{at}.{name} is missing"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(name) {
            check(property, value, &format!("{at}.{name}"))?;
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{at}[{index}]"))?;
    }
    Ok(())
}
