//! API keys and settings.

use salon_store::{ApiKey, Error};

use crate::bed::*;
use crate::rows::refused;

fn key(first: u8, label: &str) -> ApiKey {
    let mut hash = [0; 32];
    hash[0] = first;
    ApiKey { hash, account: id("account"), email: Some("ann@example.org".into()), label: label.into(), created_at: NOON }
}

on_both_engines! {
    async fn keys_are_found_by_hash_until_revoked(bed: Bed) {
        let store = &bed.store;
        let (one, mut two) = (key(1, "one"), key(2, "two"));
        (two.email, two.created_at) = (None, NOON.plus_ms(-1));
        store.insert_api_key(&one).await.unwrap();
        store.insert_api_key(&two).await.unwrap();
        store.insert_api_key(&key(1, "again")).await.unwrap();
        assert_eq!(store.api_key(&one.hash).await.unwrap(), Some(one.clone()));
        assert_eq!(store.api_key(&[9; 32]).await.unwrap(), None);
        assert_eq!(store.api_keys(&id("account")).await.unwrap(), [two.clone(), one.clone()]);
        assert_eq!(store.api_keys(&id("other")).await.unwrap(), []);
        store.revoke_api_key(&one.hash).await.unwrap();
        assert_eq!(store.api_key(&one.hash).await.unwrap(), None);
        refused!(store.revoke_api_key(&one.hash).await, Error::NotFound);
    }

    async fn a_key_printed_by_accident_tells_nothing(bed: Bed) {
        drop(bed);
        let printed = format!("{:?}", key(171, "one"));
        assert_eq!(printed, r#"ApiKey { account: account, label: "one", .. }"#);
    }

    async fn the_first_value_of_a_setting_wins(bed: Bed) {
        let mut tasks = Vec::new();
        for n in 0..10 {
            let store = bed.other().await;
            tasks.push(tokio::spawn(async move { store.setting_or_insert("secret", &format!("s{n}")).await.unwrap() }));
        }
        let mut values = Vec::new();
        for task in tasks {
            values.push(task.await.unwrap());
        }
        values.dedup();
        assert_eq!(values.len(), 1, "{values:?}");
        assert_eq!(bed.store.setting_or_insert("other", "x").await.unwrap(), "x");
    }
}
