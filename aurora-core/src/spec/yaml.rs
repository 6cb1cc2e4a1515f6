//! YAML into the data model of JSON, for which every type of the format has a reader.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

/// The one document of `text`.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    match documents.as_slice() {
        [document] => value(document),
        other => Err(format!("{} documents instead of one", other.len())),
    }
}

fn value(yaml: &Yaml<'_>) -> Result<Value, String> {
    match yaml {
        Yaml::Value(Scalar::Null) => Ok(Value::Null),
        Yaml::Value(Scalar::Boolean(truth)) => Ok(Value::Bool(*truth)),
        Yaml::Value(Scalar::Integer(number)) => Ok(Value::from(*number)),
        Yaml::Value(Scalar::FloatingPoint(number)) => Ok(Value::from(**number)),
        Yaml::Value(Scalar::String(text)) => Ok(Value::from(text.as_ref())),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, entry) in entries {
                let Value::String(key) = value(key)? else {
                    return Err(format!("a key that is no text: {key:?}"));
                };
                map.insert(key, value(entry)?);
            }
            Ok(Value::Object(map))
        }
        Yaml::Alias(_) | Yaml::BadValue | Yaml::Representation(..) | Yaml::Tagged(..) => {
            Err(format!("not part of the format: {yaml:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_given_twice_is_refused() {
        assert!(parse("a: 1\na: 2").is_err());
        assert!(parse("- {a: 1, a: 2}").is_err());
    }

    #[test]
    fn words_are_words() {
        let value = parse("{a: no, b: 10ms, c: a*, d: null, e: 3, f: '3'}").unwrap();
        let expected = serde_json::json!({
            "a": "no", "b": "10ms", "c": "a*", "d": null, "e": 3, "f": "3"
        });
        assert_eq!(value, expected);
    }
}
