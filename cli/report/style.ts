/** The report's style sheet. Text has a contrast of at least 4.5 on its ground in each scheme. */
export const STYLE = `
:root { --ground: #ffffff; --ink: #1f2328; --line: #d1d9e0; --good: #1a6f3c; --bad: #b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14181d; --ink: #e6edf3; --line: #3d444d; --good: #4fc27f; --bad: #ff8a7a; }
}
@media print {
  :root { --ground: #ffffff; --ink: #000000; --line: #bbbbbb; --good: #1a6f3c; --bad: #b42318; color-scheme: light; }
  figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
body { background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
.lead { font-size: 1.15rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
figure { margin: 0 0 1rem; }
figure svg { display: block; height: auto; }
figcaption { font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
`;
