// The interface's documentation: Swagger UI on this server's own description of itself.

const KEY = "convscope-key"; // as key.js has it
const base = new URL(".", document.baseURI.split("#")[0]);

function withKey(request) {
  const key = sessionStorage.getItem(KEY);
  if (key) request.headers.authorization ??= `Bearer ${key}`;
  return request;
}

async function start() {
  const { headers } = withKey({ headers: {} });
  const answer = await fetch(new URL("openapi.json", base), { headers });
  if (!answer.ok) {
    const detail =
      answer.status === 401
        ? "This server wants a key: give it on the page first, then come back."
        : `The server answers ${answer.status}.`;
    document.querySelector("#swagger p").textContent = detail;
    return;
  }
  // requests that are tried go where this page came from, below its path if there is one
  const spec = { ...(await answer.json()), servers: [{ url: base.href.replace(/\/$/, "") }] };
  window.SwaggerUIBundle({
    spec,
    dom_id: "#swagger",
    deepLinking: false,
    validatorUrl: null,
    requestInterceptor: withKey,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
  });
}

start();
