import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Nothing from a server may reach the page as markup. */
const noMarkup = [
  {
    selector:
      'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]',
    message: 'Set text through textContent.'
  }
];

/** One file talks to the server. */
const noFetch = [
  {
    selector:
      "CallExpression[callee.name='fetch'], MemberExpression[property.name='makeRequest'], NewExpression[callee.name=/^(XMLHttpRequest|WebSocket|EventSource)$/]",
    message: 'Only src/api.ts sends requests.'
  }
];

export default tseslint.config(
  { ignores: ['lib/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './tsconfig.test.json'],
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true }
      ]
    }
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/api.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noMarkup, ...noFetch] }
  },
  {
    files: ['src/api.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noMarkup] }
  },
  {
    // node:test's describe and test return promises that need no await.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-floating-promises': 'off' }
  }
);
