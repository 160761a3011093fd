// Shows /openapi.json, and calls it. No dependency, no request to anywhere else; nothing is ever put into the page as markup.
"use strict";

/** An element with attributes and children; text is text. */
function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

let api;

/** Follows a reference within the document. */
function resolve(value) {
  for (let step = 0; step < 8 && value && value.$ref; step += 1) {
    value = value.$ref.slice(2).split("/").reduce((found, key) => found && found[key], api);
  }
  return value || {};
}

/** An example that a schema describes. */
function example(schema, depth = 0) {
  schema = resolve(schema);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  const choice = (schema.oneOf || schema.anyOf || schema.allOf || []).find((one) => one.type !== "null");
  if (choice) return example(choice, depth);
  const types = [].concat(schema.type || []).filter((type) => type !== "null");
  switch (types[0]) {
    case "object": {
      if (depth > 4) return {};
      const members = Object.entries(schema.properties || {});
      const wanted = new Set(schema.required || []);
      const shown = depth === 0 && wanted.size === 0 ? members : members.filter(([name]) => wanted.has(name));
      return Object.fromEntries(shown.map(([name, value]) => [name, example(value, depth + 1)]));
    }
    case "array": return depth > 4 ? [] : [example(schema.items, depth + 1)];
    case "integer": case "number": return schema.minimum || 0;
    case "boolean": return false;
    case "string": return schema.format === "uuid" ? "00000000-0000-7000-8000-000000000000"
      : schema.format === "date-time" ? "2026-01-31T12:00:00Z" : "";
    default: return {};
  }
}

/** A type in a few words. */
function typeOf(schema) {
  const found = resolve(schema);
  const choices = (found.oneOf || found.anyOf || []).map(typeOf);
  if (choices.length) return choices.join(" or ");
  if (found.enum) return found.enum.join(" | ");
  const type = [].concat(found.type || "anything").join(" or ");
  return found.format ? `${type} (${found.format})` : type === "array" ? `list of ${typeOf(found.items || {})}` : type;
}

function rows(titles, items) {
  const head = el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)));
  const body = items.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))));
  return el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
}

function members(schema) {
  const found = resolve(schema);
  const wanted = new Set(found.required || []);
  return Object.entries(found.properties || {}).map(([name, value]) =>
    [name + (wanted.has(name) ? " *" : ""), typeOf(value), value.description || resolve(value).description || ""]);
}

/** Calls an operation and shows what is answered. */
async function call(form, method, path, parameters, output) {
  const headers = {};
  const token = document.getElementById("token").value;
  if (token) headers.Authorization = `Bearer ${token}`;
  const query = new URLSearchParams();
  for (const parameter of parameters) {
    const value = form.elements[`${parameter.in}:${parameter.name}`].value;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value && parameter.in === "query") query.set(parameter.name, value);
    else if (value) headers[parameter.name] = value;
  }
  const text = form.elements.body && form.elements.body.value;
  if (text) headers["Content-Type"] = "application/json";
  output.textContent = "…";
  try {
    const address = query.size ? `${path}?${query}` : path;
    const answer = await fetch(address, { method, headers, body: text || undefined });
    const stream = (answer.headers.get("content-type") || "").startsWith("text/event-stream");
    const told = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    output.textContent = `${answer.status} ${answer.statusText}\n${told}\n\n`;
    if (stream) {
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) output.textContent += part.value;
      return;
    }
    const body = await answer.text();
    try { output.textContent += JSON.stringify(JSON.parse(body), null, 2); } catch { output.textContent += body; }
  } catch (error) {
    output.textContent = String(error);
  }
}

function tryOut(method, path, operation, parameters) {
  const output = el("pre", { "aria-live": "polite" });
  const fields = parameters.map((parameter) => el("p", {}, el("label", {}, `${parameter.name} `,
    el("input", { name: `${parameter.in}:${parameter.name}`, size: "40", placeholder: typeOf(parameter.schema) }))));
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  if (media) {
    const area = el("textarea", { name: "body", "aria-label": "Body" });
    area.value = JSON.stringify(example(media.schema), null, 2);
    fields.push(area);
  }
  const submit = (event) => {
    event.preventDefault();
    call(event.target, method, path, parameters, output);
  };
  return el("form", { onsubmit: submit }, el("h4", {}, "Try it"), ...fields, el("button", {}, "Send"), output);
}

function show(method, path, operation) {
  const parameters = (operation.parameters || []).map(resolve);
  const media = operation.requestBody && operation.requestBody.content["application/json"];
  const body = el("div", { class: "body" });
  const fill = () => {
    if (body.childNodes.length) return;
    if (operation.description) body.append(el("p", {}, operation.description));
    if (parameters.length) {
      body.append(el("h4", {}, "Parameters"), rows(["Name", "In", "Type", "About"], parameters.map((one) =>
        [one.name + (one.required ? " *" : ""), one.in, typeOf(one.schema), one.description || ""])));
    }
    if (media) body.append(el("h4", {}, "Body"), rows(["Field", "Type", "About"], members(media.schema)));
    const answers = Object.entries(operation.responses).map(([status, answer]) => [status, resolve(answer).description || ""]);
    body.append(el("h4", {}, "Answers"), rows(["Status", "About"], answers));
    const success = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
    const schema = success && ((resolve(success[1]).content || {})["application/json"] || {}).schema;
    if (schema) body.append(el("pre", {}, JSON.stringify(example(schema), null, 2)));
    body.append(tryOut(method.toUpperCase(), path, operation, parameters));
  };
  return el("details", { id: operation.operationId, ontoggle: fill },
    el("summary", {}, el("span", { class: "method" }, method.toUpperCase()), el("code", {}, path),
      el("span", { class: "scope" }, operation["x-scope"]), ` ${operation.summary}`), body);
}

async function begin() {
  api = await (await fetch("/openapi.json")).json();
  document.getElementById("version").textContent = api.info.version;
  const groups = new Map(api.tags.map((tag) => [tag.name, { about: tag.description, shown: [] }]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) groups.get(operation.tags[0]).shown.push(show(method, path, operation));
  }
  const main = document.getElementById("operations");
  const nav = document.getElementById("contents");
  for (const [name, group] of groups) {
    if (!group.shown.length) continue;
    main.append(el("section", {}, el("h2", {}, `${name} `, el("small", {}, group.about)), ...group.shown));
    nav.append(el("b", {}, name), ...group.shown.map((one) => el("a", { href: `#${one.id}` }, one.id)));
  }
  const open = () => {
    const named = document.getElementById(location.hash.slice(1));
    if (named && named.tagName === "DETAILS") named.open = true;
  };
  addEventListener("hashchange", open);
  open();
  document.getElementById("find").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const one of document.querySelectorAll("details")) one.hidden = !one.textContent.toLowerCase().includes(wanted) && !one.id.includes(wanted);
  });
}

begin().catch((error) => document.getElementById("operations").replaceChildren(el("p", {}, String(error))));
