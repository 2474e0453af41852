//! The OpenAPI document, from the handlers. The published contract is the judge: `tests/openapi.rs` compares the two.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, RefOr, Required, Schema, ServerBuilder,
    Type,
};
use utoipa_axum::router::UtoipaMethodRouter;

/// The document of these groups of routes, each under its prefix.
pub fn document<S>(groups: &[(&str, &[UtoipaMethodRouter<S>])]) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    for (prefix, routes) in groups {
        for (schemas, documented, _) in *routes {
            components.schemas.extend(schemas.iter().cloned());
            for (path, item) in &documented.paths {
                paths.paths.insert(format!("{prefix}{path}"), under(prefix, item.clone()));
            }
        }
    }
    for (name, scheme) in schemes() {
        components.add_security_scheme(name, scheme);
    }
    let info = InfoBuilder::new()
        .title("Salon")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Meetings on your own server, in the language of Cloudflare RealtimeKit."))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([
            ServerBuilder::new().url("/client/v4").description(Some("As the official SDKs have it")).build(),
            ServerBuilder::new().url("/").description(Some("The same, without a prefix")).build(),
        ]))
        .paths(paths)
        .components(Some(components))
        .security(Some(vec![
            SecurityRequirement::new("api_token", Vec::<String>::new()),
            SecurityRequirement::new("api_email", Vec::<String>::new()).add("api_key", Vec::<String>::new()),
        ]))
        .build()
}

/// Adds the parameters that the prefix brings.
fn under(prefix: &str, mut item: PathItem) -> PathItem {
    let names = prefix.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let shared: Vec<RefOr<Parameter>> = names.map(|name| path_parameter(name).into()).collect();
    for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
        let own = operation.parameters.take().unwrap_or_default();
        operation.parameters = Some(shared.iter().cloned().chain(own).collect());
    }
    item
}

fn path_parameter(name: &str) -> Parameter {
    let text: RefOr<Schema> = ObjectBuilder::new().schema_type(Type::String).build().into();
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True).schema(Some(text)).build()
}

fn schemes() -> [(&'static str, SecurityScheme); 3] {
    [
        ("api_token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build())),
        ("api_email", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Email")))),
        ("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Key")))),
    ]
}
