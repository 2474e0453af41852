//! The OpenAPI document, from the handlers, and from here what holds for all of them: how they refuse. The published contract
//! is the judge: `tests/openapi.rs` compares the two.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, Ref, RefOr, Required, Response,
    ResponseBuilder, Schema, ServerBuilder, Type,
};
use utoipa_axum::router::UtoipaMethodRouter;

/// How calls are refused, whatever they ask: the status, the name of the answer in the document, when it comes, and of which
/// calls.
const REFUSALS: [(&str, &str, &str, Of); 10] = [
    ("400", "BadRequest", "A parameter, the body or the credential cannot be read, or is out of its bounds", Of::AnyKey),
    ("403", "Forbidden", "The credential is missing, wrong, or of another account", Of::AnyKey),
    ("404", "NotFound", "What the address names does not exist in this account", Of::App),
    ("408", "TooSlow", "The body did not arrive in time", Of::Body),
    ("413", "TooLarge", "The body is larger than the server takes", Of::Body),
    ("421", "WrongHost", "The server is not called so", Of::Any),
    ("422", "Unprocessable", "Well formed and not possible, or not made yet", Of::Body),
    ("429", "TooMany", "More requests than the account may make; `Retry-After` says when to come back", Of::AnyKey),
    ("500", "Broken", "A fault of the server, which is in its log", Of::Any),
    ("503", "Unavailable", "Something is out of order for the moment; `Retry-After` says when to come back", Of::Any),
];

/// Which calls can be refused so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Any,
    /// Those that take an API key.
    AnyKey,
    /// Those about an app.
    App,
    /// Those with a body.
    Body,
}

/// A route, and what the document says of it, which is large: made, used and let go one after the other.
pub type Described<S> = fn() -> UtoipaMethodRouter<S>;

/// The document of these groups of routes, each under its prefix.
pub fn document<S>(groups: &[(&str, &[Described<S>])]) -> OpenApi {
    let mut paths = Paths::new();
    let mut components = Components::new();
    for (prefix, routes) in groups {
        for described in *routes {
            let (schemas, documented, _) = described();
            components.schemas.extend(schemas);
            for (path, item) in documented.paths {
                paths.paths.insert(format!("{prefix}{path}"), under(prefix, item));
            }
        }
    }
    for (_, name, when, _) in REFUSALS {
        let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
        let refusal = ResponseBuilder::new().description(when).content("application/json", body).build();
        components.responses.insert(name.to_owned(), refusal.into());
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

/// Adds the parameters that the prefix brings, and the refusals that no handler names.
fn under(prefix: &str, mut item: PathItem) -> PathItem {
    let names = prefix.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let shared: Vec<RefOr<Parameter>> = names.map(|name| path_parameter(name).into()).collect();
    for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
        let own = operation.parameters.take().unwrap_or_default();
        operation.parameters = Some(shared.iter().cloned().chain(own).collect());
        for (status, name, _, of) in REFUSALS {
            let fits = match of {
                Of::Any => true,
                Of::AnyKey => prefix.contains("{account_id}"),
                Of::App => prefix.contains("{app_id}"),
                Of::Body => operation.request_body.is_some(),
            };
            if fits {
                let refusal = || RefOr::<Response>::Ref(Ref::from_response_name(name));
                operation.responses.responses.entry(status.to_owned()).or_insert_with(refusal);
            }
        }
    }
    item
}

fn path_parameter(name: &str) -> Parameter {
    // As `salon_core::ids` has it.
    let id = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[A-Za-z0-9_-]{1,64}$")).build();
    let text: RefOr<Schema> = id.into();
    ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True).schema(Some(text)).build()
}

fn schemes() -> [(&'static str, SecurityScheme); 3] {
    [
        ("api_token", SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build())),
        ("api_email", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Email")))),
        ("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-Auth-Key")))),
    ]
}
