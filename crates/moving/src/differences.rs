//! What differs between two JSON values: a list of paths, bounded, in an order that is the same each time.
//! Lists of things with ids are compared by id, so that one thing more does not make all that follow differ.

use std::collections::BTreeSet;

use serde_json::Value;

/// The most that is told of one pair of values.
const MAX: usize = 50;

/// Nesting that is followed. What is deeper is compared as a whole.
const MAX_DEPTH: usize = 32;

/// One difference, as seen from `ours`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, as in `data[].permissions.can_record`; a list's places are not told apart.
    pub path: String,
    pub kind: Kind,
    /// What is there; nothing where it is missing or may not be shown. Of what is inside and may not be shown, its type.
    pub ours: Option<Value>,
    pub theirs: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Only the other has it.
    Missing,
    /// Only we have it.
    Extra,
    /// Both have it, of another type.
    Type,
    /// Both have it, with another value.
    Value,
    /// The same things in another order.
    Order,
}

/// How the value of a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Whole,
    /// By its type only: it changes with each answer. It is not shown.
    ShapeOnly,
}

/// What differs. `how` is asked for each key of an object.
pub fn differences(ours: &Value, theirs: &Value, how: &impl Fn(&str) -> How) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut found, ("", 0), ours, theirs, how);
    found
}

fn compare(found: &mut Vec<Difference>, (path, depth): (&str, usize), ours: &Value, theirs: &Value, how: &impl Fn(&str) -> How) {
    if found.len() >= MAX {
        return;
    }
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(other)) if depth < MAX_DEPTH => {
            let keys: BTreeSet<&String> = mine.keys().chain(other.keys()).collect();
            for key in keys {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let shown = how(key) == How::Whole;
                match (mine.get(key), other.get(key)) {
                    (Some(ours), Some(theirs)) if shown => compare(found, (&at, depth + 1), ours, theirs, how),
                    (Some(ours), Some(theirs)) => {
                        if shape(ours) != shape(theirs) {
                            push(found, &at, Kind::Type, (None, None), how);
                        }
                    }
                    (Some(ours), None) => push(found, &at, Kind::Extra, (shown.then_some(ours), None), how),
                    (None, Some(theirs)) => push(found, &at, Kind::Missing, (None, shown.then_some(theirs)), how),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(mine), Value::Array(other)) if depth < MAX_DEPTH => {
            let at = format!("{path}[]");
            match (ids(mine), ids(other)) {
                (Some(my_ids), Some(other_ids)) => {
                    for (item, id) in mine.iter().zip(&my_ids) {
                        match other_ids.iter().position(|other| other == id) {
                            Some(place) => compare(found, (&at, depth + 1), item, &other[place], how),
                            None => push(found, &at, Kind::Extra, (Some(&item["id"]), None), how),
                        }
                    }
                    for (item, id) in other.iter().zip(&other_ids) {
                        if !my_ids.contains(id) {
                            push(found, &at, Kind::Missing, (None, Some(&item["id"])), how);
                        }
                    }
                    let both = |from: &[&str], of: &[&str]| -> Vec<String> {
                        from.iter().filter(|id| of.contains(id)).map(|id| (*id).to_owned()).collect()
                    };
                    if both(&my_ids, &other_ids) != both(&other_ids, &my_ids) {
                        push(found, &at, Kind::Order, (None, None), how);
                    }
                }
                _ => {
                    for (ours, theirs) in mine.iter().zip(other) {
                        compare(found, (&at, depth + 1), ours, theirs, how);
                    }
                    if mine.len() != other.len() {
                        let (ours, theirs) = (Value::from(mine.len()), Value::from(other.len()));
                        push(found, &format!("{path}.length"), Kind::Value, (Some(&ours), Some(&theirs)), how);
                    }
                }
            }
        }
        _ if shape(ours) != shape(theirs) => push(found, path, Kind::Type, (Some(ours), Some(theirs)), how),
        _ if !same(ours, theirs) => push(found, path, Kind::Value, (Some(ours), Some(theirs)), how),
        _ => {}
    }
}

fn push(
    found: &mut Vec<Difference>,
    path: &str,
    kind: Kind,
    (ours, theirs): (Option<&Value>, Option<&Value>),
    how: &impl Fn(&str) -> How,
) {
    if found.len() < MAX {
        let shown = |value: Option<&Value>| value.map(|value| as_shown(value, how));
        found.push(Difference { path: path.to_owned(), kind, ours: shown(ours), theirs: shown(theirs) });
    }
}

/// A value with types in place of what is not shown, however deep it is.
fn as_shown(value: &Value, how: &impl Fn(&str) -> How) -> Value {
    match value {
        Value::Object(parts) => {
            let shown = parts.iter().map(|(key, part)| {
                let part = if how(key) == How::Whole { as_shown(part, how) } else { shape(part).into() };
                (key.clone(), part)
            });
            Value::Object(shown.collect())
        }
        Value::Array(items) => items.iter().map(|item| as_shown(item, how)).collect(),
        plain => plain.clone(),
    }
}

/// The type of a value: what stands for one that is not shown.
fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "(null)",
        Value::Bool(_) => "(bool)",
        Value::Number(_) => "(number)",
        Value::String(_) => "(string)",
        Value::Array(_) => "(array)",
        Value::Object(_) => "(object)",
    }
}

/// Numbers are one kind: the types of the API do not tell `1` from `1.0`.
fn same(ours: &Value, theirs: &Value) -> bool {
    ours == theirs || ours.as_f64().zip(theirs.as_f64()).is_some_and(|(ours, theirs)| ours == theirs)
}

/// The ids of a list whose items all have one, each once.
fn ids(items: &[Value]) -> Option<Vec<&str>> {
    let ids: Option<Vec<&str>> = items.iter().map(|item| item.get("id")?.as_str()).collect();
    let ids = ids?;
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    (distinct.len() == ids.len()).then_some(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(ours: Value, theirs: Value) -> Vec<String> {
        let how = |key: &str| if key == "token" { How::ShapeOnly } else { How::Whole };
        let found = differences(&ours, &theirs, &how).into_iter();
        found.map(|one| format!("{} {:?}", one.path, one.kind)).collect()
    }

    #[test]
    fn the_same_is_the_same_in_any_writing() {
        let same = json!({"a": 1, "b": [1, 2], "c": {"d": null}, "token": "x"});
        assert!(told(same, json!({"token": "y", "c": {"d": null}, "b": [1.0, 2], "a": 1.0})).is_empty());
    }

    #[test]
    fn each_kind_of_difference_is_told_with_its_place() {
        let ours = json!({"a": 1, "b": {"c": "x", "e": true}, "l": [1, 2], "token": "x"});
        let theirs = json!({"a": 2, "b": {"c": 3, "d": 1}, "l": [1], "token": null});
        let expected = ["a Value", "b.c Type", "b.d Missing", "b.e Extra", "l.length Value", "token Type"];
        assert_eq!(told(ours, theirs), expected);
    }

    #[test]
    fn lists_of_things_are_compared_thing_by_thing() {
        let ours = json!([{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "x"}]);
        let theirs = json!([{"id": "b", "n": 3}, {"id": "a", "n": 1}, {"id": "y"}]);
        assert_eq!(told(ours, theirs), ["[].n Value", "[] Extra", "[] Missing", "[] Order"]);
    }

    #[test]
    fn what_is_told_has_a_bound() {
        let many = |value: i32| Value::from((0..1_000).map(|_| value).collect::<Vec<_>>());
        assert_eq!(told(many(1), many(2)).len(), MAX);
        let mut deep = (json!(1), json!(2));
        for _ in 0..100 {
            deep = (json!([deep.0]), json!([deep.1]));
        }
        assert_eq!(told(deep.0, deep.1).len(), 1);
    }

    #[test]
    fn what_is_not_shown_is_not_told() {
        let how = |key: &str| if key == "token" { How::ShapeOnly } else { How::Whole };
        let found = differences(&json!({"token": "secret"}), &json!({}), &how);
        assert_eq!((found.len(), &found[0].ours), (1, &None));
    }

    #[test]
    fn what_is_not_shown_is_not_told_inside_of_what_is() {
        let how = |key: &str| if ["token", "links"].contains(&key) { How::ShapeOnly } else { How::Whole };
        let whole = json!({"id": "m", "in": [{"token": "secret", "n": 1}], "links": {"of": "secret"}, "none": {"token": null}});
        let shown = json!({"id": "m", "in": [{"token": "(string)", "n": 1}], "links": "(object)", "none": {"token": "(null)"}});
        // It is on one side only, it is of another type, it is in a list on one side, it is as deep as is looked.
        let mut deep = (whole.clone(), json!({}));
        for _ in 0..MAX_DEPTH {
            deep = (json!({ "in": deep.0 }), json!({ "in": deep.1 }));
        }
        for (ours, theirs) in
            [(json!({ "d": whole }), json!({})), (json!({ "d": whole }), json!({"d": 1})), (json!([whole]), json!([[]])), deep]
        {
            for (ours, theirs) in [(&ours, &theirs), (&theirs, &ours)] {
                let found = differences(ours, theirs, &how);
                assert_eq!(found.len(), 1, "{found:?}");
                let told = [&found[0].ours, &found[0].theirs];
                assert!(told.contains(&&Some(shown.clone())), "{told:?}");
            }
        }
    }
}
