/** The one style sheet of the pages. No image, no font, no script comes from elsewhere. */
import { hash } from 'node:crypto';

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #eef2f3; --card: #ffffff; --ink: #17242d; --soft: #4c5c68; --line: #d5dde1; --edge: #71818c;
  --accent: #0a665f; --accent-deep: #074d48; --on-accent: #ffffff; --tint: #e8f3f1; --focus: #1b5fd1;
  --wrong: #a8201a; --wrong-tint: #fdf0ef; --good: #17633a; --good-tint: #ecf6ef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10181e; --card: #18232b; --ink: #e7eef2; --soft: #a9b8c2; --line: #2d3c47; --edge: #7f919d;
    --accent: #74d0c5; --accent-deep: #9be3da; --on-accent: #06211e; --tint: #1c3233; --focus: #8db8ff;
    --wrong: #ff9a92; --wrong-tint: #3a1f20; --good: #8fdcae; --good-tint: #17301f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; display: flex; flex-direction: column; background: var(--ground); color: var(--ink);
  overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
.top, .end { width: 100%; max-width: 36rem; margin: 0 auto; padding: 1.25rem 1.25rem 0.75rem; }
.brand { display: flex; align-items: center; gap: 0.7rem; }
.brand svg { width: 2.2rem; height: 2.2rem; flex: none; }
.brand .one { fill: var(--accent); opacity: 0.9; }
.brand .other { fill: none; stroke: var(--accent); stroke-width: 2.6; }
.brand strong { display: block; font-size: 1.1rem; line-height: 1.2; letter-spacing: 0.01em; }
.brand span { color: var(--soft); font-size: 0.875rem; }
main {
  width: 100%; max-width: 36rem; margin: 0 auto 2rem; padding: 2rem 1.75rem 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 14px; box-shadow: 0 1px 2px rgb(16 32 40 / 5%), 0 12px 32px rgb(16 32 40 / 7%);
}
h1 { margin: 0 0 0.7rem; font-size: 1.6rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 2rem 0 0.5rem; font-size: 1.1rem; line-height: 1.35; font-weight: 650; }
h3 { margin: 0; font-size: 1.02rem; font-weight: 650; }
p { margin: 0 0 1rem; }
main > :last-child, main > form:last-child > :last-child { margin-bottom: 0; }
.soft, .hint { color: var(--soft); }
.hint { margin: 0.15rem 0 0.4rem; font-size: 0.925rem; }
a { color: var(--accent); text-underline-offset: 0.18em; }
a:hover { color: var(--accent-deep); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
label { display: block; font-weight: 600; }
.field { margin: 0 0 1.15rem; }
input[type="text"], input[type="password"], input[type="search"] {
  width: 100%; min-height: 2.9rem; margin-top: 0.3rem; padding: 0.55rem 0.8rem; border: 1px solid var(--edge);
  border-radius: 8px; background: var(--card); color: var(--ink); font: inherit;
}
input[aria-invalid="true"] { border-color: var(--wrong); border-width: 2px; }
.digits { max-width: 14rem; letter-spacing: 0.16em; font-variant-numeric: tabular-nums; }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; min-height: 2.9rem; padding: 0.6rem 1.4rem;
  border: 1px solid var(--accent); border-radius: 8px; background: var(--accent); color: var(--on-accent);
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
}
button:hover, .button:hover { background: var(--accent-deep); border-color: var(--accent-deep); color: var(--on-accent); }
.quiet { background: transparent; color: var(--accent); border-color: var(--edge); }
.quiet:hover { background: var(--tint); color: var(--accent-deep); border-color: var(--accent); }
.wide { width: 100%; }
.plain { min-height: 2rem; padding: 0.25rem 0.4rem; margin: 0 -0.4rem; border: 0; background: none; color: var(--accent); font-weight: 500; text-decoration: underline; text-underline-offset: 0.18em; }
.plain:hover { background: var(--tint); color: var(--accent-deep); }
.row { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; }
.row > form { margin: 0; }
.apart { justify-content: space-between; }
.problem, .done { margin: 0 0 1.5rem; padding: 0.9rem 1.1rem; border-left: 4px solid var(--wrong); border-radius: 8px; background: var(--wrong-tint); }
.problem h2 { margin: 0 0 0.2rem; color: var(--wrong); font-size: 1.02rem; }
.problem p, .done p { margin: 0; }
.problem a { color: var(--wrong); }
.done { border-left-color: var(--good); background: var(--good-tint); }
.or { display: flex; align-items: center; gap: 0.9rem; margin: 1.4rem 0; color: var(--soft); font-size: 0.925rem; }
.or::before, .or::after { content: ""; flex: 1; height: 1px; background: var(--line); }
.stack { display: grid; gap: 0.7rem; }
.app { display: flex; gap: 1rem; align-items: center; margin: 0 0 1rem; }
.app img, .app .letter { width: 3.5rem; height: 3.5rem; flex: none; border-radius: 12px; border: 1px solid var(--line); object-fit: contain; background: #ffffff; }
.app .letter { display: grid; place-items: center; background: var(--tint); color: var(--accent); font-size: 1.5rem; font-weight: 700; }
.app p { margin: 0; }
.list { list-style: none; margin: 0 0 1rem; padding: 0; border-top: 1px solid var(--line); }
.list > li { border-bottom: 1px solid var(--line); }
.list .pick {
  position: relative; display: block; width: 100%; min-height: 3.4rem; padding: 0.75rem 2rem 0.75rem 0.5rem; border: 0; border-radius: 0; background: none; color: var(--ink);
  font-weight: 400; text-align: left;
}
.list .pick:hover { background: var(--tint); }
.pick::after { content: "›" / ""; position: absolute; right: 0.6rem; top: 50%; transform: translateY(-55%); color: var(--accent); font-size: 1.5rem; }
.pick strong, .pick span { display: block; }
.pick span { color: var(--soft); font-size: 0.925rem; }
.search { display: flex; gap: 0.6rem; align-items: flex-end; margin: 0 0 1.25rem; }
.search > div { flex: 1; }
fieldset { margin: 0 0 1.5rem; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin: 0 0 0.3rem; font-size: 1.05rem; font-weight: 650; }
.tick { display: grid; grid-template-columns: 1.5rem 1fr; gap: 0.75rem; align-items: start; padding: 0.7rem 0 0.55rem; }
.tick input { width: 1.5rem; height: 1.5rem; margin: 0.05rem 0 0; accent-color: var(--accent); }
.tick label { font-weight: 550; }
.tick .hint { margin: 0; font-weight: 400; }
.tick .hint::first-letter { text-transform: uppercase; }
.tick + details { margin: 0 0 0.6rem 2.25rem; }
summary { display: inline-block; min-height: 1.75rem; padding: 0.15rem 0; color: var(--accent); cursor: pointer; text-decoration: underline; text-underline-offset: 0.18em; font-size: 0.95rem; }
summary::before { content: "+" / ""; display: inline-block; width: 1.1em; }
[open] > summary::before { content: "–" / ""; }
details fieldset { margin: 0.4rem 0 0.6rem; padding: 0 0 0 0.9rem; border-left: 3px solid var(--line); }
details legend { font-size: 0.925rem; font-weight: 400; color: var(--soft); }
details .tick { padding: 0.3rem 0; }
details .tick label { font-weight: 400; }
.image { display: block; width: 13rem; max-width: 100%; margin: 0.5rem 0 1rem; padding: 0.5rem; border: 1px solid var(--line); border-radius: 10px; background: #ffffff; }
.image svg { display: block; width: 100%; height: auto; }
code, .codes { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; }
.codes { columns: 2 12rem; margin: 0 0 1.5rem; padding: 1rem 1.2rem; list-style: none; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); }
.codes li { padding: 0.2rem 0; break-inside: avoid; }
.granted { margin: 0.3rem 0 0.8rem; padding-left: 1.2rem; color: var(--soft); font-size: 0.95rem; }
.part { padding: 1.1rem 0 1.3rem; border-top: 1px solid var(--line); }
.part:last-child { padding-bottom: 0; }
.part h3 { margin-bottom: 0.5rem; }
.part p:last-child { margin: 0; }
.entry { padding: 1rem 0; }
.entry p { margin: 0.1rem 0 0.4rem; }
.note { margin: 1.25rem 0 0; color: var(--soft); font-size: 0.925rem; }
.end { padding: 0 1.25rem 2rem; margin-top: auto; color: var(--soft); font-size: 0.875rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 37.5rem) {
  .top { padding: 1rem 1.1rem 0.8rem; }
  main { padding: 1.4rem 1.1rem 1.6rem; border-radius: 0; border-width: 1px 0; box-shadow: none; }
  h1 { font-size: 1.4rem; }
  .decision button { flex: 1; }
}
@media (prefers-reduced-motion: no-preference) {
  button, .button, .pick { transition: background-color 120ms ease, border-color 120ms ease; }
}
@media (forced-colors: active) { button, .button { border: 1px solid ButtonText; } }
@media print { .top, .end, button { display: none; } main { border: 0; box-shadow: none; } }
`.trim();

/** Changes with the style, so that browsers may keep it for good. */
export const STYLE_VERSION = hash('sha256', STYLE, 'base64url').slice(0, 16);
