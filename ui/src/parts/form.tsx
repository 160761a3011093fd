import { useMutation } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";

import { useDocument } from "./document.ts";
import { bodyOf, fieldsOf, type FormField } from "./schema.ts";
import { Trouble } from "./trouble.tsx";

interface FormProps<T> {
  /** The name of the body's schema in the API's document. */
  schema: string;
  /** What the button says. */
  verb: string;
  submit: (body: Record<string, unknown>) => Promise<T>;
  done?: (answer: T) => void;
  /** What the fields begin with. */
  initial?: Record<string, unknown>;
  /** Fields that are not asked for. */
  without?: string[];
}

/** A form for a body of the API, made from its schema: names, types, bounds and words are the document's. */
export function Form<T>({ schema, verb, submit, done, initial, without }: FormProps<T>) {
  const document = useDocument();
  if (document.isPending) return <p className="empty">Loading…</p>;
  if (document.isError) return <Trouble error={document.error} />;
  const fields = fieldsOf(document.data, schema).filter((field) => !without?.includes(field.name));
  return <Fields fields={fields} verb={verb} submit={submit} done={done} initial={initial} />;
}

function Fields<T>({ fields, verb, submit, done, initial }: Omit<FormProps<T>, "schema"> & { fields: FormField[] }) {
  const [values, setValues] = useState<Record<string, string>>(() => texts(fields, initial ?? {}));
  const sending = useMutation({
    mutationFn: async () => submit(bodyOf(fields, values)),
    onSuccess: (answer) => done?.(answer),
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    sending.mutate();
  };
  return (
    <form className="form" onSubmit={send}>
      {fields.map((field) => (
        <label key={field.name} className="field">
          <span>
            {field.name}
            {field.required ? " *" : ""}
          </span>
          <Input
            field={field}
            value={values[field.name] ?? ""}
            change={(value) => setValues((before) => ({ ...before, [field.name]: value }))}
          />
          <small>{field.hint}</small>
        </label>
      ))}
      <Trouble error={sending.error} />
      <button type="submit" disabled={sending.isPending}>
        {verb}
      </button>
    </form>
  );
}

function Input({ field, value, change }: { field: FormField; value: string; change: (value: string) => void }) {
  const shared = { name: field.name, value, required: field.required };
  if (field.kind === "choice" || field.kind === "boolean") {
    return (
      <select {...shared} onChange={(event) => change(event.target.value)}>
        <option value="" />
        {field.choices.map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    );
  }
  if (field.kind === "text") {
    return <textarea {...shared} rows={12} spellCheck={false} onChange={(event) => change(event.target.value)} />;
  }
  if (field.kind === "json") {
    return <textarea {...shared} rows={3} spellCheck={false} onChange={(event) => change(event.target.value)} />;
  }
  return (
    <input
      {...shared}
      type={field.kind === "number" ? "number" : field.kind === "secret" ? "password" : "text"}
      autoComplete="off"
      onChange={(event) => change(event.target.value)}
    />
  );
}

function texts(fields: FormField[], initial: Record<string, unknown>): Record<string, string> {
  const entries = fields.map((field) => [field.name, text(initial[field.name])] as const);
  return Object.fromEntries(entries);
}

function text(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
