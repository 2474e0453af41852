//! What RTMP says commands in: AMF0, as far as either side needs it. Pure.
//! Invariant: whatever comes in, nothing is read beyond its end, and no deeper than `DEEPEST`.

/// Values in values at most.
const DEEPEST: usize = 4;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Number(f64),
    Text(String),
    Object(Vec<(String, Value)>),
    Null,
    /// Of a kind that says nothing to us.
    Other,
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// What an object has under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find_map(|(field, value)| match value {
            Self::Text(text) if field == name => Some(text.as_str()),
            _ => None,
        })
    }
}

/// Writes values one after the other. Texts are of 65535 bytes at most.
pub fn write(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|value| put(&mut out, value));
    out
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => {
            out.push(0);
            out.extend(number.to_be_bytes());
        }
        Value::Text(text) => {
            out.push(2);
            put_name(out, text);
        }
        Value::Object(fields) => {
            out.push(3);
            for (name, value) in fields {
                put_name(out, name);
                put(out, value);
            }
            out.extend([0, 0, 9]);
        }
        Value::Null | Value::Other => out.push(5),
    }
}

fn put_name(out: &mut Vec<u8>, text: &str) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend(bytes);
}

/// Reads values one after the other, up to the first that cannot be read.
pub fn read(mut bytes: &[u8]) -> Vec<Value> {
    std::iter::from_fn(|| take(&mut bytes, 0)).collect()
}

fn take(bytes: &mut &[u8], depth: usize) -> Option<Value> {
    let kind = *bytes.split_off_first()?;
    Some(match kind {
        0 => Value::Number(f64::from_be_bytes(*array(bytes)?)),
        1 => {
            bytes.split_off_first()?;
            Value::Other
        }
        2 => Value::Text(take_name(bytes)?),
        3 | 8 if depth < DEEPEST => {
            if kind == 8 {
                // How many there are; the end says so as well.
                array::<4>(bytes)?;
            }
            let mut fields = Vec::new();
            loop {
                let name = take_name(bytes)?;
                if name.is_empty() && bytes.first() == Some(&9) {
                    bytes.split_off_first()?;
                    break Value::Object(fields);
                }
                fields.push((name, take(bytes, depth + 1)?));
            }
        }
        5 | 6 => Value::Null,
        _ => return None,
    })
}

fn array<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    bytes.split_off(..N)?.first_chunk()
}

fn take_name(bytes: &mut &[u8]) -> Option<String> {
    let length = u16::from_be_bytes(*array(bytes)?);
    let text = bytes.split_off(..usize::from(length))?;
    Some(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_breaks_off_is_not() {
        let info = Value::Object(vec![
            ("code".to_owned(), Value::text("NetStream.Publish.Start")),
            ("clientid".to_owned(), Value::Number(1.0)),
            ("inner".to_owned(), Value::Object(Vec::new())),
        ]);
        let values = [Value::text("onStatus"), Value::Number(0.0), Value::Null, info];
        let bytes = write(&values);
        assert_eq!(bytes[..14], *b"\x02\0\x08onStatus\0\0\0");
        assert_eq!(read(&bytes), values);
        assert_eq!(values[3].get("code"), Some("NetStream.Publish.Start"));
        assert!((0..bytes.len()).all(|end| read(&bytes[..end]).len() < 4));
        let deep: Vec<u8> = [3, 0, 1, b'a'].repeat(10_000);
        assert_eq!(read(&deep), []);
        // An array with names is an object; what is true or false is passed over.
        assert_eq!(read(b"\x08\0\0\0\x01\0\x01a\x01\x01\0\0\x09\x05")[1], Value::Null);
        assert_eq!(read(&[0xff, 1, 2]), []);
    }
}
