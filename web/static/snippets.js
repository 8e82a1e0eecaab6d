/* snippets.js - the same call as curl, Python and JavaScript, ready to paste. */

export const LANGUAGES = [['curl', 'curl'], ['python', 'Python'], ['javascript', 'JavaScript']];

/* body: {document_text, template, ...}; origin: "https://host". The key comes from the environment. */
export function snippet(language, body, origin) {
  const url = `${origin}/api/v1/extract/`;
  return { curl, python, javascript }[language](body, url);
}

/* A here-document: JSON has no raw line breaks inside strings, so no line of it can be the closing word. */
const curl = (body, url) => `curl -sS ${url} \\
  -H "Authorization: Bearer $REFRACTR_API_KEY" \\
  -H "Content-Type: application/json" \\
  --data-binary @- <<'JSON'
${JSON.stringify(body, null, 2)}
JSON
`;

const python = (body, url) => `import os
import requests

response = requests.post(
    "${url}",
    headers={"Authorization": f"Bearer {os.environ['REFRACTR_API_KEY']}"},
    json=${pythonLiteral(body, '    ')},
    timeout=35,
)
response.raise_for_status()
print(response.json()["extracted_data"])
`;

const javascript = (body, url) => `const response = await fetch("${url}", {
  method: "POST",
  headers: {
    "Authorization": \`Bearer \${process.env.REFRACTR_API_KEY}\`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify(${JSON.stringify(body, null, 2).replace(/\n/g, '\n  ')}),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error.message);
console.log(answer.extracted_data);
`;

/* JSON string escapes are Python's too; only the three words differ. */
function pythonLiteral(value, indent) {
  const inner = `${indent}    `;
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const lines = Array.isArray(value)
    ? value.map((v) => pythonLiteral(v, inner))
    : Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${pythonLiteral(v, inner)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (!lines.length) return open + close;
  return `${open}\n${lines.map((l) => `${inner}${l},\n`).join('')}${indent}${close}`;
}
