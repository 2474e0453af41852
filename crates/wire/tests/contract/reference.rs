//! `contract.json`, read: endpoints, and examples built from their schemas.
//! Understands the JSON Schema the file is written in, with `nullable`, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// `contract.json`, read.
pub struct Contract {
    /// By method and path; the path starts after the app.
    pub endpoints: BTreeMap<String, Value>,
    pub definitions: Value,
    pub error: Value,
}

/// How an example is built from a schema.
pub struct Example {
    /// Which enum value or variant is taken, counting round.
    pub round: usize,
    /// Whether what may be null is null.
    pub nulls: bool,
    /// Whether optional properties are there.
    pub full: bool,
}

impl Contract {
    pub fn read() -> Contract {
        let file: Value = serde_json::from_str(include_str!("../../contract.json")).expect("contract.json is JSON");
        let endpoints = file["endpoints"]
            .as_array()
            .expect("contract.json lists endpoints")
            .iter()
            .map(|endpoint| {
                let path = text(&endpoint["path"]);
                let tail = path.trim_start_matches("/accounts/{account_id}/realtime/kit/").trim_start_matches("{app_id}/");
                (format!("{} {tail}", text(&endpoint["method"])), endpoint.clone())
            })
            .collect();
        Contract { endpoints, definitions: file["definitions"].clone(), error: file["error_schema"].clone() }
    }

    /// The contract of one endpoint.
    pub fn endpoint(&self, method: &str, path: &str) -> &Value {
        &self.endpoints[&format!("{method} {path}")]
    }

    /// Follows a reference, which may add that null is allowed.
    pub fn resolve(&self, schema: &Value) -> Value {
        let Some(reference) = schema["$ref"].as_str() else {
            return schema.clone();
        };
        let name = reference.rsplit('/').next().expect("a reference has a name");
        let mut resolved = self.definitions[name].clone();
        assert!(resolved.is_object(), "{name} is defined");
        if schema["nullable"] == true {
            resolved["nullable"] = true.into();
        }
        resolved
    }

    pub fn example(&self, schema: &Value, how: &Example) -> Value {
        let schema = self.resolve(schema);
        if how.nulls && schema["nullable"] == true {
            return Value::Null;
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            return self.example(&variants[how.round % variants.len()], how);
        }
        if let Some(values) = schema["enum"].as_array() {
            return values[how.round % values.len()].clone();
        }
        let Some(kind) = schema["type"].as_str() else {
            return json!("text");
        };
        match kind {
            "string" => json!("text"),
            "boolean" => json!(how.round.is_multiple_of(2)),
            "number" | "integer" => schema["minimum"].as_u64().unwrap_or(7).into(),
            "array" => match &schema["items"] {
                // The contract leaves breakout rooms open; they are sessions.
                items if *items == json!({}) => json!([]),
                items => json!([self.example(items, how)]),
            },
            "object" => {
                let required = strings(&schema["required"]);
                let mut object = Map::new();
                for key in keys(&schema["properties"]) {
                    if how.full || required.contains(&key) {
                        let value = self.example(&schema["properties"][&key], how);
                        object.insert(key, value);
                    }
                }
                if schema["additionalProperties"].is_object() && how.full {
                    object.insert("other".into(), self.example(&schema["additionalProperties"], how));
                }
                object.into()
            }
            other => panic!("no example for type {other}"),
        }
    }
}

/// A value that the schema says is text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

/// The keys of an object; none of other values.
pub fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().map(|object| object.keys().cloned().collect()).unwrap_or_default()
}

/// The texts in a list; none of other values.
pub fn strings(list: &Value) -> BTreeSet<String> {
    list.as_array().map(|items| items.iter().map(|item| text(item).to_owned()).collect()).unwrap_or_default()
}
