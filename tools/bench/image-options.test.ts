import { imageNodeOptions } from './image-options.ts';

test('the options of the image are found', () => {
  expect(imageNodeOptions()).toContain('--max-semi-space-size=');
});
