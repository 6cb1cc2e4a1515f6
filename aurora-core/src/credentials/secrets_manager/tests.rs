//! What is made of a secret's text and of refusals; the API itself is in `tests/`.

use super::*;

fn parsed(secret: &SecretsManager, text: &str, user: &str) -> Result<(String, String), String> {
    let found = secret.parse(text, user).map_err(|error| error.to_string())?;
    let user = found.user().unwrap_or(user).to_owned();
    Ok((user, found.password().expose().to_owned()))
}

#[test]
fn user_and_password_are_under_the_keys_of_rds_or_others() {
    let secret = SecretsManager::new("shop");
    let both = Ok(("app".to_owned(), "p".to_owned()));
    let of_rds = r#"{"username":"app","password":"p","engine":"postgres","port":5432}"#;
    assert_eq!(parsed(&secret, of_rds, ""), both);
    assert_eq!(parsed(&secret, r#"{"password":"p"}"#, "app"), both);
    let secret = secret.keys("login", "word");
    assert_eq!(parsed(&secret, r#"{"login":"app","word":"p"}"#, "other"), both);
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_quoting_it() {
    let secret = SecretsManager::new("shop");
    for (text, names) in [
        ("planted", "not a JSON object"),
        (r#"["planted"]"#, "not a JSON object"),
        (r#"{"password":"planted"}"#, "`username`"),
        (r#"{"username":"planted"}"#, "`password`"),
        (r#"{"username":"planted","password":7}"#, "`password`"),
        (r#"{"username":"a","password":"planted""#, "not a JSON object"),
    ] {
        let problem = parsed(&secret, text, "").unwrap_err();
        assert!(problem.contains(names) && !problem.contains("planted"), "{problem}");
    }
}

#[test]
fn refusals_that_stay_name_their_remedy_and_others_pass() {
    let denied = judge("AccessDeniedException", "no");
    assert!(!denied.is_transient() && denied.to_string().contains("GetSecretValue on it"));
    assert!(!judge("ResourceNotFoundException", "none").is_transient());
    for code in ["ThrottlingException", "InternalServiceError", "no code"] {
        assert!(judge(code, "later").is_transient(), "{code}");
    }
}

#[test]
fn the_region_is_that_of_the_arn_unless_another_is_given() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop-AbCdEf";
    assert_eq!(SecretsManager::new(arn).aws.region.as_deref(), Some("eu-west-1"));
    assert_eq!(SecretsManager::new(arn).region("b").aws.region.as_deref(), Some("b"));
    assert_eq!(SecretsManager::new("shop").aws.region, None);
    assert!(SecretsManager::new(arn).describe().ends_with("in eu-west-1"));
}
